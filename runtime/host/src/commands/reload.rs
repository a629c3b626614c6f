//! `socar reload`: has a running host take over what is now written and built.

use crate::admin::client::RunningHost;
use crate::cli::ReloadOptions;

/// Does it, and says which version runs now.
///
/// # Errors
/// When no host answers, or it keeps the version it has; the message says why.
pub async fn run(options: &ReloadOptions) -> anyhow::Result<()> {
    let host = RunningHost::find(&options.state.find()?, &options.token)?;
    let report = host.post("/reload", "").await?;
    println!("{report}");
    Ok(())
}
