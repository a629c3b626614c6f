//! The flags of `socar accept-store`.

use clap::Args;

use super::{AdminToken, StateDir};

/// The flags of `socar accept-store`.
#[derive(Args, Clone, Debug)]
pub struct AcceptStoreOptions {
    /// The label of the key-value store, such as `car`.
    pub label: String,

    /// The state directory of the host.
    #[command(flatten)]
    pub state: StateDir,

    /// The token of the host.
    #[command(flatten)]
    pub token: AdminToken,
}
