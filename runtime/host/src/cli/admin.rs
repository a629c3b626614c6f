//! The flags of the admin listener, and of the commands that call it.

use std::net::SocketAddr;

use clap::Args;

/// The flags that say where it listens, and to whom.
#[derive(Args, Clone, Debug)]
pub struct AdminOptions {
    /// Where operators steer the platform; any free port of this machine alone if not given.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SOCAR_ADMIN_LISTEN",
        default_value = "127.0.0.1:0"
    )]
    pub admin_listen: SocketAddr,

    /// What they have to show, as a bearer token; needed if other machines can reach the address.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SOCAR_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<String>,
}

/// What it takes to be let in.
#[derive(Args, Clone, Debug)]
pub struct AdminToken {
    /// The token that the host was started with, if it was.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SOCAR_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<String>,
}
