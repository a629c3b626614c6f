//! The steps of one rebuild, in order; a failed step is repeated.

use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{Method, StatusCode};
use serde_json::Value;
use tracing::warn;

use super::{Progress, RebuildSource};
use event_log::{Entry, EntryId, EventLog};

/// Number of log entries per read.
const PAGE: usize = 200;

/// Maximum length in bytes of one list of events: a component accepts bodies of at most 64 KiB.
const MAX_LIST_BYTES: usize = 48 * 1024;

/// Maximum number of attempts per step.
const ATTEMPTS: u32 = 10;

/// Delay before a step is retried.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Reports the progress of a rebuild.
pub(super) type Update<'t> = &'t (dyn Fn(&dyn Fn(&mut Progress)) + Sync);

/// Rebuilds the read model, and returns the response to the last step.
///
/// # Errors
/// When a step fails for good, or the log cannot be read.
pub(super) async fn rebuild(
    log: &dyn EventLog,
    source: &RebuildSource,
    update: Update<'_>,
) -> anyhow::Result<Value> {
    step(source, "", String::new()).await?;
    for stream in &source.streams {
        replay(log, source, stream, update).await?;
    }
    let mut body = String::new();
    loop {
        let page = step(source, "/state", body).await?;
        let asked = page["taken"].as_u64().unwrap_or_default();
        update(&|progress| progress.asked += asked);
        match &page["next"] {
            Value::Null => break,
            next => body = next.to_string(),
        }
    }
    // This step is not repeated: after a lost response there is no rebuild left to finish.
    match source
        .component
        .step(Method::POST, "/finish", String::new())
        .await
    {
        (status, result) if status.is_success() => Ok(result),
        (status, problem) => bail!("/finish: {}", describe(status, &problem)),
    }
}

/// Replays all entries that a stream contains at this time.
async fn replay(
    log: &dyn EventLog,
    source: &RebuildSource,
    stream: &str,
    update: Update<'_>,
) -> anyhow::Result<()> {
    let mut from = EntryId::MIN;
    loop {
        let page = read(log, stream, from).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        from = last.id.next();
        let mut list = String::new();
        let mut count = 0;
        for event in page.iter().filter_map(Entry::event) {
            // An entry that is not JSON is not an event; its delivery has made it a dead letter.
            let Ok(event) = serde_json::from_slice::<Value>(&event) else {
                continue;
            };
            let event = event.to_string();
            if !list.is_empty() && list.len() + event.len() > MAX_LIST_BYTES {
                step(source, "/events", format!("[{list}]")).await?;
                list.clear();
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&event);
            count += 1;
        }
        if !list.is_empty() {
            step(source, "/events", format!("[{list}]")).await?;
        }
        update(&|progress| progress.events += count);
    }
}

async fn read(
    log: &dyn EventLog,
    stream: &str,
    from: EntryId,
) -> anyhow::Result<Vec<event_log::Entry>> {
    let mut attempts = 1;
    loop {
        match log.range(stream, from, EntryId::MAX, PAGE).await {
            Ok(page) => return Ok(page),
            Err(error) if error.is_unavailable() && attempts < ATTEMPTS => attempts += 1,
            Err(error) => return Err(error).context(format!("cannot read `{stream}`")),
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

/// Performs a step; repeats it after a server error, such as an overload or an exceeded deadline.
async fn step(source: &RebuildSource, path: &str, body: String) -> anyhow::Result<Value> {
    let mut attempts = 1;
    loop {
        let taken = source.component.step(Method::POST, path, body.clone());
        match taken.await {
            (status, answer) if status.is_success() => return Ok(answer),
            (status, _) if status.is_server_error() && attempts < ATTEMPTS => attempts += 1,
            (StatusCode::NOT_FOUND, _) => bail!("it keeps nothing that could be rebuilt"),
            (status, problem) => bail!("{path}: {}", describe(status, &problem)),
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

/// Removes the old state when no call can still read it.
pub(super) async fn tidy(source: &RebuildSource) {
    tokio::time::sleep(source.component.read_deadline()).await;
    if let Err(error) = step(source, "/tidy", String::new()).await {
        // The next rebuild removes it.
        warn!(
            error = format!("{error:#}"),
            "the old state of the read model was not removed"
        );
    }
}

fn describe(status: StatusCode, problem: &Value) -> String {
    format!(
        "{status} {}",
        problem["detail"].as_str().unwrap_or_default()
    )
}
