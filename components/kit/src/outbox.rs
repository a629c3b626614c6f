//! From committed to published.
//!
//! Before a swap that announces something, an *intent* is written into the small outbox store; after
//! publishing it is deleted. Its key names the aggregate and the commit, so three rules suffice:
//! an intent without a trace in its aggregate never happened; with one, its events may be
//! unpublished; no intent, and they are published. The aggregate needs no second write to say so.

use crate::{LogError, Platform, Store, StoreError, aggregate::PendingEvent};
use events::{CloudEvent, Timestamp};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// How old an intent is before the sweep takes it for left over: longer than any call may run, so
/// that the sweep does not publish what a living call is about to publish.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// How old an intent without a trace is before it is discarded: no call can still be about to swap.
const ABANDONED_AFTER: Duration = Duration::from_secs(120);

/// The key prefix of intents in the outbox store.
const INTENT: &str = "intent/";

/// The key of the intent to publish what `commit` announces about the aggregate `key`.
pub(crate) fn intent(key: &str, commit: &str) -> String {
    format!("{INTENT}{key}@{commit}")
}

/// Publishes the events of one commit, then withdraws the intent.
pub(crate) async fn publish<P: Platform>(
    platform: &P,
    stream: &str,
    intent: &str,
    events: &[CloudEvent],
) -> Result<(), LogError> {
    for event in events {
        platform.append(stream, &event.to_json()).await?;
    }
    // If this fails the sweep publishes once more, which every reader bears.
    let _ = platform.outbox().delete(intent).await;
    Ok(())
}

/// Those of an aggregate's pending events that may not be published yet.
pub(crate) async fn unpublished<P: Platform>(
    platform: &P,
    key: &str,
    pending: Vec<PendingEvent>,
) -> Result<Vec<PendingEvent>, StoreError> {
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    let mut kept = Vec::new();
    for entry in pending {
        let is_open = match open.get(&entry.commit) {
            Some(known) => *known,
            None => {
                let found = platform
                    .outbox()
                    .exists(&intent(key, &entry.commit))
                    .await?;
                open.insert(entry.commit.clone(), found);
                found
            }
        };
        if is_open {
            kept.push(entry);
        }
    }
    Ok(kept)
}

/// What a sweep of the outbox did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Events published that a crash or a silent log had left behind.
    pub published: usize,
    /// Intents whose swap never happened, discarded.
    pub discarded: usize,
}

/// Publishes what is left over.
///
/// # Errors
///
/// The store's or the log's silence, as text: the next sweep tries again.
pub async fn sweep<P: Platform>(platform: &P, stream: &str) -> Result<SweepReport, String> {
    let mut report = SweepReport::default();
    let keys = platform.outbox().keys().await.map_err(|e| e.to_string())?;
    for intent in keys {
        let Some((key, commit)) = parse(&intent) else {
            continue;
        };
        let Some(age) = age(platform, &intent).await.map_err(|e| e.to_string())? else {
            continue;
        };
        if age < STALE_AFTER {
            continue;
        }
        let events = events_of(platform, key, commit).await?;
        if !events.is_empty() {
            publish(platform, stream, &intent, &events)
                .await
                .map_err(|e| e.to_string())?;
            report.published += events.len();
        } else if age >= ABANDONED_AFTER {
            let deleted = platform.outbox().delete(&intent).await;
            deleted.map_err(|e| e.to_string())?;
            report.discarded += 1;
        }
    }
    Ok(report)
}

/// How long ago the outbox entry `key` was written; `None` when it is gone meanwhile.
///
/// # Errors
///
/// The store's silence.
pub async fn age<P: Platform>(platform: &P, key: &str) -> Result<Option<Duration>, StoreError> {
    let Some(written) = platform.outbox().get(key).await? else {
        return Ok(None);
    };
    let written = std::str::from_utf8(&written)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    Ok(Some(platform.now().since(Timestamp::from_millis(written))))
}

/// `intent/<aggregate key>@<commit>` taken apart.
fn parse(intent: &str) -> Option<(&str, &str)> {
    intent.strip_prefix(INTENT)?.rsplit_once('@')
}

/// The events that `commit` left in the aggregate `key`.
async fn events_of<P: Platform>(
    platform: &P,
    key: &str,
    commit: &str,
) -> Result<Vec<CloudEvent>, String> {
    /// Only the pending events are of interest, whatever the state is.
    #[derive(Deserialize)]
    struct Outgoing {
        #[serde(default)]
        pending: Vec<PendingEvent>,
    }
    let Some(bytes) = platform.state().get(key).await.map_err(|e| e.to_string())? else {
        return Ok(Vec::new());
    };
    let outgoing: Outgoing =
        serde_json::from_slice(&bytes).map_err(|e| format!("`{key}` cannot be read: {e}"))?;
    let of_commit = |entry: PendingEvent| (entry.commit == commit).then_some(entry.event);
    Ok(outgoing.pending.into_iter().filter_map(of_commit).collect())
}
