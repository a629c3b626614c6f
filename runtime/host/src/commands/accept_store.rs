//! `socar accept-store car`: the running host goes on with a key-value store that does not belong to the event log.

use crate::admin::client::RunningHost;
use crate::cli::AcceptStoreOptions;
use crate::output::print_line;

/// Requests it, and prints what is so from now on.
///
/// # Errors
/// When no host answers, it has no such store, or the store is unavailable.
pub async fn run(options: &AcceptStoreOptions) -> anyhow::Result<()> {
    let host = RunningHost::find(&options.state.find()?, &options.token)?;
    let label = &options.label;
    host.post(&format!("/stores/{label}/accept"), "").await?;
    print_line(format_args!(
        "the key-value store {label} belongs to the event log from now on"
    ));
    Ok(())
}
