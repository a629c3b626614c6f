//! The flags of `socar rebuild`.

use clap::Args;

use super::{AdminToken, StateDir};

/// The flags of `socar rebuild`.
#[derive(Args, Clone, Debug)]
pub struct RebuildOptions {
    /// The component, such as `viewpage`.
    pub component: String,

    /// The state directory of the host.
    #[command(flatten)]
    pub state: StateDir,

    /// The token of the host.
    #[command(flatten)]
    pub token: AdminToken,
}
