//! The flags of `socar reload`.

use clap::Args;

use super::{AdminToken, StateDir};

/// The flags of `socar reload`.
#[derive(Args, Clone, Debug)]
pub struct ReloadOptions {
    /// The state directory of the host.
    #[command(flatten)]
    pub state: StateDir,

    /// The token of the host.
    #[command(flatten)]
    pub token: AdminToken,
}
