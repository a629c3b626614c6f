//! The flags of `socar relay`.

use clap::Args;

use super::secret::value_or_file;

/// The flags of `socar relay`.
#[derive(Args, Clone, Debug)]
pub struct RelayOptions {
    /// The manifest, whose Redis triggers say which component receives which events.
    #[arg(
        short = 'f',
        long = "from",
        value_name = "FILE",
        default_value = "spin.toml"
    )]
    pub from: std::path::PathBuf,

    /// The Redis server with the streams.
    #[arg(
        long,
        value_name = "URL",
        env = "SOCAR_REDIS_URL",
        hide_env_values = true,
        value_parser = value_or_file,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub redis_url: String,

    /// The base URL of the deployment.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    pub to: String,

    /// The base URL of one component, if it differs; can be given several times.
    #[arg(long = "to-component", value_name = "ID=URL")]
    pub to_component: Vec<String>,

    /// The value of the variable `relay_secret` of the deployment, which signs the tokens of the relay.
    #[arg(
        long,
        value_name = "SECRET",
        value_parser = value_or_file,
        env = "SOCAR_RELAY_SECRET",
        hide_env_values = true
    )]
    pub secret: String,

    /// How long one delivery may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub deadline: u64,
}
