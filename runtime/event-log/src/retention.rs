//! Keeping the log short, for who wants that: everything is kept unless a retention is set.
//!
//! An entry goes when it is old enough and every group has acknowledged it, so a group that nobody
//! is a consumer of any more would keep everything. The groups of single hosts (`component@host`)
//! are dropped when their host has been silent for [`Retention::group_timeout`]; a host that comes back
//! after that has to rebuild its read models.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::entry::now;
use super::{EventLog, GroupState, LogError, redrive_stream};

/// How long a single host may be silent at least before it counts as gone.
const MIN_GROUP_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// How often the log is looked through, at most and at least.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// What is kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long an entry is kept at least.
    pub min_age: Duration,
    /// How long the group of a single host is waited for.
    pub group_timeout: Duration,
}

/// Keeps streams short until told to stop: those that are wanted at the time, if any.
///
/// # Errors
/// Never; it shares its type with the other parts of the platform.
pub async fn enforce_until_cancelled(
    log: Arc<dyn EventLog>,
    wanted: impl Fn() -> Option<(Retention, BTreeSet<String>)>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut last = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(MIN_INTERVAL) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let Some((retention, streams)) = wanted() else {
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
            // Unavailable, most likely: what is too old now will be older then.
            Err(error) => warn!(%error, "old events stay in the log for now"),
        }
    }
}

impl Retention {
    /// Entries are kept for `keep` at least, and the group of a single host for a day at least.
    pub fn new(min_age: Duration) -> Self {
        Self {
            min_age,
            group_timeout: min_age.max(MIN_GROUP_TIMEOUT),
        }
    }

    /// How often the log is looked through.
    fn interval(&self) -> Duration {
        (self.min_age / 10).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// Removes what need not be kept, and answers how many entries that were. To be called now and
    /// then, by any host.
    ///
    /// # Errors
    /// If the log fails.
    pub async fn enforce(&self, log: &dyn EventLog, streams: &[&str]) -> Result<u64, LogError> {
        let mut removed = 0;
        for stream in streams {
            for state in log.groups(stream).await? {
                if self.is_gone(&state) {
                    self.drop_group(log, &state.group, streams).await?;
                }
            }
        }
        for stream in streams {
            loop {
                let some = log.trim(stream, self.min_age).await?;
                if some == 0 {
                    break;
                }
                removed += some;
            }
        }
        Ok(removed)
    }

    fn is_gone(&self, state: &GroupState) -> bool {
        let silent = state.seen.map(|seen| now().saturating_sub(seen));
        let too_long = |silent| u128::from(silent) > self.group_timeout.as_millis();
        state.group.contains('@') && silent.is_some_and(too_long)
    }

    async fn drop_group(
        &self,
        log: &dyn EventLog,
        group: &str,
        streams: &[&str],
    ) -> Result<(), LogError> {
        tracing::info!(group, "forgetting a group whose host is gone");
        let redriven = redrive_stream(group);
        let streams = streams.iter().copied().chain([&*redriven]);
        log.delete_group(group, &streams.map(Arc::from).collect::<Vec<_>>())
            .await
    }
}
