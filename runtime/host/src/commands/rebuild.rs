//! `socar rebuild viewpage`: has a running host rebuild a component, and waits for it.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use crate::admin::client::RunningHost;
use crate::cli::RebuildOptions;

/// How often the host is asked how far it is.
const INTERVAL: Duration = Duration::from_millis(200);

/// Begins, waits, and says what came of it.
///
/// # Errors
/// When no host runs, or the rebuild was given up.
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
                println!("{component} rebuilt from {events} events{}", others(asked));
                return Ok(());
            }
            _ => bail!(
                "{component} was not rebuilt, and is what it was: {}",
                progress["error"].as_str().unwrap_or_default()
            ),
        }
    }
}

fn others(asked: &Value) -> String {
    match asked.as_u64() {
        Some(0) | None => String::new(),
        Some(asked) => format!(" and {asked} answers of other components"),
    }
}
