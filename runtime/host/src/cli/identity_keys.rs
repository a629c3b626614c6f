//! The flags of `socar identity-keys`.

use clap::Args;

use super::StateDir;

/// The flags of `socar identity-keys`.
#[derive(Args, Clone, Debug)]
pub struct IdentityKeysOptions {
    /// The state directory of the key.
    #[command(flatten)]
    pub state: StateDir,
}
