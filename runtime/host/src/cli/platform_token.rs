//! The flags of `socar platform-token`.

use clap::Args;

use super::secret::value_or_file;

/// The flags of `socar platform-token`.
#[derive(Args, Clone, Debug)]
pub struct PlatformTokenOptions {
    /// The context that is called: the id of its component, such as `car`.
    #[arg(long, value_name = "CONTEXT")]
    pub context: String,

    /// The value of the variable `context_token` or `relay_secret` of the deployment, which signs the token.
    #[arg(
        long,
        value_name = "SECRET",
        value_parser = value_or_file,
        env = "SOCAR_PLATFORM_SECRET",
        hide_env_values = true
    )]
    pub secret: String,
}
