//! The outbox: publishes committed events at least once.
//!
//! Before a swap that announces events, an *intent* is stored in the small outbox store; after the
//! publication it is deleted. Its key names the aggregate and the commit, so that three rules suffice:
//! the commit of an intent that its aggregate does not contain never took place; the events of an intent
//! whose commit the aggregate contains may be unpublished; the events of a commit without an intent are
//! published. The aggregate needs no second write to record the publication.

use crate::{
    platform::{LogError, Platform},
    store::{Store, StoreError},
    stored::PendingEvent,
};
use events::{CloudEvent, Timestamp};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Minimum age of an outbox entry that a sweep works on. It is longer than any call may run, so that
/// the sweep does not repeat the work of a running call.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// Age from which an intent without its commit is deleted: no call that may still swap is as old.
const ABANDONED_AFTER: Duration = Duration::from_secs(120);

/// Key prefix of the intents in the outbox store.
const INTENT: &str = "intent/";

/// The key of the intent to publish the events of `commit` of the aggregate `key`.
pub(crate) fn intent_key(key: &str, commit: &str) -> String {
    format!("{INTENT}{key}@{commit}")
}

/// Publishes the events of one commit, then deletes its intent.
pub(crate) async fn publish<P: Platform>(
    platform: &P,
    stream: &str,
    intent: &str,
    events: &[CloudEvent],
) -> Result<(), LogError> {
    for event in events {
        platform.append(stream, &event.to_json()).await?;
    }
    // If this fails, the sweep publishes the events again. Consumers tolerate duplicates.
    let _ = platform.outbox().delete(intent).await;
    Ok(())
}

/// The pending events of the aggregate `key` that may be unpublished.
pub(crate) async fn unpublished<P: Platform>(
    platform: &P,
    key: &str,
    pending: Vec<PendingEvent>,
) -> Result<Vec<PendingEvent>, StoreError> {
    let mut has_intent: BTreeMap<String, bool> = BTreeMap::new();
    let mut unpublished = Vec::new();
    for entry in pending {
        let is_unpublished = match has_intent.get(&entry.commit) {
            Some(known) => *known,
            None => {
                let intent = intent_key(key, &entry.commit);
                let exists = platform.outbox().exists(&intent).await?;
                has_intent.insert(entry.commit.clone(), exists);
                exists
            }
        };
        if is_unpublished {
            unpublished.push(entry);
        }
    }
    Ok(unpublished)
}

/// The work of one sweep of the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Number of events published that a crash or a failing log had left unpublished.
    pub published: usize,
    /// Number of intents deleted whose commit never took place.
    pub discarded: usize,
}

/// Publishes the events of intents older than [`STALE_AFTER`] on `stream`.
///
/// # Errors
///
/// The failure of the store or the log, as text; the next sweep tries again.
pub async fn sweep<P: Platform>(platform: &P, stream: &str) -> Result<SweepReport, String> {
    let mut report = SweepReport::default();
    let keys = platform.outbox().keys().await.map_err(|e| e.to_string())?;
    for intent in keys {
        let Some((key, commit)) = parse_intent_key(&intent) else {
            continue;
        };
        let Some(age) = age(platform, &intent).await.map_err(|e| e.to_string())? else {
            continue;
        };
        if age < STALE_AFTER {
            continue;
        }
        let events = events_of_commit(platform, key, commit).await?;
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

/// The age of the outbox entry `key`, whose value is the time of its writing in milliseconds since the
/// Unix epoch; `None` if the entry is absent.
///
/// # Errors
///
/// The store failed.
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

/// Aggregate key and commit id of `intent/<aggregate key>@<commit id>`.
fn parse_intent_key(intent: &str) -> Option<(&str, &str)> {
    intent.strip_prefix(INTENT)?.rsplit_once('@')
}

/// The pending events that the aggregate `key` holds of `commit`.
async fn events_of_commit<P: Platform>(
    platform: &P,
    key: &str,
    commit: &str,
) -> Result<Vec<CloudEvent>, String> {
    /// The part of the stored form that does not depend on the kind of aggregate.
    #[derive(Deserialize)]
    struct PendingEvents {
        #[serde(default)]
        pending: Vec<PendingEvent>,
    }
    let Some(bytes) = platform.state().get(key).await.map_err(|e| e.to_string())? else {
        return Ok(Vec::new());
    };
    let stored: PendingEvents =
        serde_json::from_slice(&bytes).map_err(|e| format!("`{key}` cannot be read: {e}"))?;
    let of_commit = |entry: PendingEvent| (entry.commit == commit).then_some(entry.event);
    Ok(stored.pending.into_iter().filter_map(of_commit).collect())
}
