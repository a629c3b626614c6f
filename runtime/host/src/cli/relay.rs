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

    /// How long one delivery may take, in seconds, from 1 to 600.
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=600),
        default_value_t = 10
    )]
    pub deadline: u64,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Arguments, Command};

    #[test]
    fn a_deadline_has_bounds() {
        let parse = |deadline| {
            Arguments::try_parse_from([
                "socar",
                "relay",
                "--secret",
                "s3cret",
                "--deadline",
                deadline,
            ])
        };
        for (given, seconds) in [("1", 1), ("600", 600)] {
            match parse(given).unwrap().command {
                Command::Relay(relay) => assert_eq!(relay.deadline, seconds),
                other => panic!("{other:?}"),
            }
        }
        for wrong in ["0", "601", "18446744073709551615", "1s"] {
            let why = parse(wrong).unwrap_err().to_string();
            assert!(why.contains("--deadline"), "{why}");
        }
    }
}
