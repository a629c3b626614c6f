//! `socar rebuild viewpage`: has a running host rebuild a component, and waits for it.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use crate::admin::client::{Running, Token};
use crate::state::StateDir;

/// How often the host is asked how far it is.
const INTERVAL: Duration = Duration::from_millis(200);

/// The flags of `socar rebuild`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The component, such as `viewpage`.
    component: String,

    /// Whose it is.
    #[command(flatten)]
    state: StateDir,

    /// What the host asks for.
    #[command(flatten)]
    token: Token,
}

/// Begins, waits, and says what came of it.
///
/// # Errors
/// When no host runs, or the rebuild was given up.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let host = Running::find(&options.state.find()?, &options.token)?;
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
