//! The flags of `socar token`.

use std::time::Duration;

use clap::Args;
use http_conventions::principal::{Role, is_subject};

use super::StateDir;

/// The longest lifetime of a token, in seconds: a year.
const MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// The flags of `socar token`.
#[derive(Args, Clone, Debug)]
pub struct TokenOptions {
    /// What the user may do: `customer`, `host` or `operator`.
    #[arg(long, value_parser = role)]
    pub role: Role,

    /// Who the user is: up to 255 visible ASCII characters.
    #[arg(long, value_name = "NAME", value_parser = subject)]
    pub subject: String,

    /// How long the token is valid, from 1s to 1y.
    #[arg(long, value_name = "DURATION", value_parser = lifetime, default_value = "1h")]
    pub expires: Duration,

    /// The state directory of the host.
    #[command(flatten)]
    pub state: StateDir,
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| "write customer, host or operator".to_owned())
}

fn subject(text: &str) -> Result<String, String> {
    match is_subject(text) {
        true => Ok(text.to_owned()),
        false => Err("write 1 to 255 visible ASCII characters without spaces".to_owned()),
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match (Duration::from_secs(1)..=MAX_LIFETIME).contains(&duration) {
        true => Ok(duration),
        false => Err("write a duration from 1s to 1y".to_owned()),
    }
}
