//! `socar rebuild viewpage`: requests a rebuild from the running host and waits until it has ended.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use crate::admin::client::RunningHost;
use crate::cli::RebuildOptions;
use crate::output::print_line;

/// How often the progress is requested.
const INTERVAL: Duration = Duration::from_millis(200);

/// Starts the rebuild, waits for its end and prints the result.
///
/// # Errors
/// When no host runs, or the rebuild failed.
pub async fn run(options: &RebuildOptions) -> anyhow::Result<()> {
    let host = RunningHost::find(&options.state.find()?, &options.token)?;
    let component = &options.component;
    let path = format!("/rebuild/{component}");
    host.post(&path, "").await?;
    loop {
        let progress = host.get(&path).await?;
        let (events, asked) = (&progress["events"], &progress["asked"]);
        match progress["state"].as_str() {
            Some("running") => tokio::time::sleep(INTERVAL).await,
            Some("done") => {
                let asked = queries(asked);
                print_line(format_args!(
                    "{component} rebuilt from {events} events{asked}"
                ));
                return Ok(());
            }
            _ => bail!(
                "{component} was not rebuilt, the old read model stays in use: {}",
                progress["error"].as_str().unwrap_or_default()
            ),
        }
    }
}

fn queries(asked: &Value) -> String {
    match asked.as_u64() {
        Some(0) | None => String::new(),
        Some(asked) => format!(" and {asked} queries of other components"),
    }
}
