//! The flags of `socar rebuild`.

use clap::Args;

use super::{AdminToken, StateDir};

/// The flags of `socar rebuild`.
#[derive(Args, Clone, Debug)]
pub struct RebuildOptions {
    /// The component, such as `viewpage`.
    pub component: String,

    /// Whose it is.
    #[command(flatten)]
    pub state: StateDir,

    /// What the host asks for.
    #[command(flatten)]
    pub token: AdminToken,
}
