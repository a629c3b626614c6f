//! `socar reload`: has a running host take over what is now written and built.

use clap::Args;

use crate::admin::client::{Running, Token};
use crate::state::StateDir;

/// The flags of `socar reload`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Which host.
    #[command(flatten)]
    state: StateDir,

    /// How to be let in.
    #[command(flatten)]
    token: Token,
}

/// Does it, and says which version runs now.
///
/// # Errors
/// When no host answers, or it keeps the version it has; the message says why.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let host = Running::find(&options.state.find()?, &options.token)?;
    let report = host.post("/reload", "").await?;
    println!("{report}");
    Ok(())
}
