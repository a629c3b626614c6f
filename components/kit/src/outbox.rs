//! The outbox: publishes committed events at least once.
//!
//! Before a swap that announces events, an *intent* is stored in the small outbox store; after the
//! publication it is deleted. Its key names the aggregate and the commit, so that three rules suffice:
//! the commit of an intent that its aggregate does not contain never took place; the events of an intent
//! whose commit the aggregate contains may be unpublished; the events of a commit without an intent are
//! published. The aggregate needs no second write to record the publication.

use crate::{
    backlog::{Backlog, BacklogEntry},
    platform::{LogError, Platform},
    store::{Store, StoreError},
    stored::PendingEvent,
    sweep::{SweepFailure, SweepFailures},
};
use events::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{collections::BTreeMap, time::Duration};

/// Minimum age of an outbox entry that a sweep works on. It is longer than any call may run, so that
/// the sweep does not repeat the work of a running call.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// Age from which an intent without its commit is deleted: no call that may still swap is as old.
const ABANDONED_AFTER: Duration = Duration::from_secs(120);
/// For how long one sweep starts publications, so that a log that does not answer leaves time for other tasks.
const BUDGET: Duration = Duration::from_millis(1500);

/// Key prefix of the intents in the outbox store.
pub const INTENT: &str = "intent/";

/// The key of the intent to publish the events of `commit` of the aggregate `key`.
pub(crate) fn intent_key(key: &str, commit: &str) -> String {
    format!("{INTENT}{key}@{commit}")
}

/// Publishes the events of one commit, then deletes its intent.
pub(crate) async fn publish<P: Platform>(
    platform: &P,
    stream: &str,
    intent: &str,
    events: &[Box<RawValue>],
) -> Result<(), LogError> {
    for event in events {
        platform.append(stream, event.get()).await?;
    }
    // If this fails, the sweep publishes the events again. Consumers tolerate duplicates.
    let _ = platform.outbox().delete(intent).await;
    Ok(())
}

/// The pending events of the aggregate `key` that the next version keeps: those that may be unpublished, and the
/// latest ones if the next version announces nothing.
pub(crate) async fn kept<P: Platform>(
    platform: &P,
    key: &str,
    pending: Vec<PendingEvent>,
    announces: Announcement,
) -> Result<Vec<PendingEvent>, StoreError> {
    let latest = pending.last().map(|entry| entry.commit.clone());
    let latest = latest.filter(|_| announces == Announcement::Nothing);
    let mut is_kept: BTreeMap<String, bool> = BTreeMap::new();
    is_kept.extend(latest.map(|commit| (commit, true)));
    let mut kept = Vec::new();
    for entry in pending {
        let keep = match is_kept.get(&entry.commit) {
            Some(known) => *known,
            None => {
                let intent = intent_key(key, &entry.commit);
                let exists = platform.outbox().exists(&intent).await?;
                is_kept.insert(entry.commit.clone(), exists);
                exists
            }
        };
        if keep {
            kept.push(entry);
        }
    }
    Ok(kept)
}

/// Whether a version of an aggregate announces events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// It has no events.
    Nothing,
    /// It has events of its own.
    Events,
}

/// The work of one sweep of the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Number of events published that a crash or a failing log had left unpublished.
    pub published: usize,
    /// Number of intents deleted whose commit never took place.
    pub discarded: usize,
}

/// Publishes the events of the stale intents in `backlog` on `stream`. A failure is noted in `failures`, and
/// does not keep the other intents from being published.
pub async fn sweep<P: Platform>(
    platform: &P,
    stream: &str,
    backlog: &Backlog,
    failures: &mut SweepFailures,
) -> SweepReport {
    let mut report = SweepReport::default();
    let start = platform.now();
    for (rest, entry) in backlog.with_prefix(INTENT) {
        if platform.now().distance(start) > BUDGET {
            break;
        }
        if let Some((key, commit)) = rest.rsplit_once('@')
            && is_stale(platform, entry)
        {
            let settled = settle(platform, stream, key, commit, entry).await;
            let settled = failures.check(settled).unwrap_or_default();
            report.published += settled.published;
            report.discarded += settled.discarded;
        }
    }
    report
}

/// Whether no running call may still publish the events of an intent. A wrong answer is harmless, as it leads to
/// a second publication; the time in the entry may therefore come from another clock.
fn is_stale<P: Platform>(platform: &P, entry: &BacklogEntry) -> bool {
    let written = std::str::from_utf8(&entry.value).ok();
    let written = written.and_then(|text| text.parse().ok()).unwrap_or(0);
    let written = Timestamp::from_millis(written);
    entry.age >= STALE_AFTER || platform.now().distance(written) >= STALE_AFTER
}

/// Publishes the events of one intent, or deletes the intent if its commit never took place.
///
/// The latest events of the aggregate follow, if they are of a later commit. Otherwise the last entry of the log about an
/// aggregate could be an old event, and whatever is rebuilt from the end of the log would stay in that state.
async fn settle<P: Platform>(
    platform: &P,
    stream: &str,
    key: &str,
    commit: &str,
    intent: &BacklogEntry,
) -> Result<SweepReport, SweepFailure> {
    let mut report = SweepReport::default();
    let pending = pending_events(platform, key).await?;
    let of_commit = |commit: &str| -> Vec<Box<RawValue>> {
        let of_commit = pending.iter().filter(|entry| entry.commit == commit);
        of_commit.map(|entry| entry.event.clone()).collect()
    };
    let mut events = of_commit(commit);
    if !events.is_empty() {
        report.published = events.len();
        let latest = pending.last().map(|entry| entry.commit.as_str());
        events.extend(
            latest
                .filter(|latest| *latest != commit)
                .map(of_commit)
                .unwrap_or_default(),
        );
        publish(platform, stream, &intent.key, &events).await?;
    } else if intent.age >= ABANDONED_AFTER {
        platform.outbox().delete(&intent.key).await?;
        report.discarded = 1;
    }
    Ok(report)
}

/// The pending events that the aggregate `key` holds, in the order of their commits.
async fn pending_events<P: Platform>(
    platform: &P,
    key: &str,
) -> Result<Vec<PendingEvent>, SweepFailure> {
    /// The part of the stored form that does not depend on the kind of aggregate.
    #[derive(Deserialize)]
    struct PendingEvents {
        #[serde(default)]
        pending: Vec<PendingEvent>,
    }
    let Some(bytes) = platform.state().get(key).await? else {
        return Ok(Vec::new());
    };
    let stored: PendingEvents = serde_json::from_slice(&bytes)
        .map_err(|error| SweepFailure::Unreadable(format!("`{key}` cannot be read: {error}")))?;
    Ok(stored.pending)
}
