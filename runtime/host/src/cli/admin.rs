//! The flags of the admin listener, and of the commands that call it.

use std::net::SocketAddr;

use clap::Args;

use super::secret::value_or_file;

/// The flags of the admin listener.
#[derive(Args, Clone, Debug)]
pub struct AdminOptions {
    /// The address of the admin listener; by default any free port on the loopback interface.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SOCAR_ADMIN_LISTEN",
        default_value = "127.0.0.1:0"
    )]
    pub admin_listen: SocketAddr,

    /// The bearer token that clients must send, or `@FILE`; required if other machines can reach the address.
    #[arg(
        long,
        value_name = "TOKEN",
        value_parser = value_or_file,
        env = "SOCAR_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<String>,
}

/// The flag for the token of a running host.
#[derive(Args, Clone, Debug)]
pub struct AdminToken {
    /// The admin token of the host, if it was started with one.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        value_parser = value_or_file,
        env = "SOCAR_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<String>,
}
