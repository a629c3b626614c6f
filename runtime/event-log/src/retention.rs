//! Removal of old entries. Without a retention, a stream keeps all entries.
//!
//! An entry is removed when it is old enough and every group has acknowledged it, so a group without consumers would
//! keep all entries. The group of a single host (`component@host`) is deleted when that host has been silent for
//! [`Retention::group_timeout`]; a host that comes back later has to rebuild its read models.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::consumer::redrive_stream;
use super::entry::now;
use super::{EventLog, GroupState, LogError};

/// The shortest silence after which a single host counts as gone.
const MIN_GROUP_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The shortest and the longest time between two passes over the log.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// How long entries and groups are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The age that an entry reaches before it is removed.
    pub min_age: Duration,
    /// The silence of a single host after which its groups are deleted.
    pub group_timeout: Duration,
}

/// Trims the streams at regular intervals until `stop` is cancelled. `current` returns the retention and the streams
/// that are valid at the time, or `None` to keep everything.
///
/// # Errors
/// Never; the result has the type of the other background tasks.
pub async fn enforce_until_cancelled(
    log: Arc<dyn EventLog>,
    current: impl Fn() -> Option<(Retention, BTreeSet<String>)>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut last = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(MIN_INTERVAL) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let Some((retention, streams)) = current() else {
            continue;
        };
        if last.elapsed() < retention.interval() {
            continue;
        }
        last = Instant::now();
        let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
        match retention.enforce(&*log, &streams).await {
            Ok(0) => {}
            Ok(removed) => info!(removed, "old events removed from the log"),
            // The next pass removes the same entries.
            Err(error) => warn!(%error, "old events could not be removed from the log"),
        }
    }
}

impl Retention {
    /// Keeps entries for at least `min_age`, and the group of a silent host for at least a day.
    pub fn new(min_age: Duration) -> Self {
        Self {
            min_age,
            group_timeout: min_age.max(MIN_GROUP_TIMEOUT),
        }
    }

    /// The time between two passes.
    fn interval(&self) -> Duration {
        (self.min_age / 10).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// Deletes the groups of hosts that are gone and the entries that are old enough, and returns the number of
    /// entries. Any host may call it, at any time.
    ///
    /// # Errors
    /// If the log fails.
    pub async fn enforce(&self, log: &dyn EventLog, streams: &[&str]) -> Result<u64, LogError> {
        for stream in streams {
            for state in log.groups(stream).await? {
                if self.is_gone(&state) {
                    delete_group(log, &state.group, streams).await?;
                }
            }
        }
        let mut removed = 0;
        for stream in streams {
            removed += self.trim(log, stream).await?;
        }
        Ok(removed)
    }

    async fn trim(&self, log: &dyn EventLog, stream: &str) -> Result<u64, LogError> {
        let mut removed = 0;
        loop {
            match log.trim(stream, self.min_age).await? {
                0 => return Ok(removed),
                some => removed += some,
            }
        }
    }

    fn is_gone(&self, state: &GroupState) -> bool {
        let silent = state.seen.map(|seen| now().saturating_sub(seen));
        let too_long = |silent| u128::from(silent) > self.group_timeout.as_millis();
        state.group.contains('@') && silent.is_some_and(too_long)
    }
}

async fn delete_group(log: &dyn EventLog, group: &str, streams: &[&str]) -> Result<(), LogError> {
    info!(group, "group deleted: its host is gone");
    let redriven = redrive_stream(group);
    let streams = streams.iter().copied().chain([&*redriven]);
    log.delete_group(group, &streams.map(Arc::from).collect::<Vec<_>>())
        .await
}
