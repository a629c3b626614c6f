//! `socar reload`: requests a reload from the running host.

use crate::admin::client::RunningHost;
use crate::cli::ReloadOptions;
use crate::output::print_line;

/// Requests the reload and prints the new generation.
///
/// # Errors
/// When no host answers, or it refuses the reload; the message has the reason.
pub async fn run(options: &ReloadOptions) -> anyhow::Result<()> {
    let host = RunningHost::find(&options.state.find()?, &options.token)?;
    let report = host.post("/reload", "").await?;
    print_line(report);
    Ok(())
}
