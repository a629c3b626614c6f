//! The flags of `socar reload`.

use clap::Args;

use super::{AdminToken, StateDir};

/// The flags of `socar reload`.
#[derive(Args, Clone, Debug)]
pub struct ReloadOptions {
    /// Which host.
    #[command(flatten)]
    pub state: StateDir,

    /// How to be let in.
    #[command(flatten)]
    pub token: AdminToken,
}
