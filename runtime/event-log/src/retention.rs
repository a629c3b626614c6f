//! Removal of old entries, and of groups that no consumer will use again.
//!
//! An entry is removed when it is old enough and every group has acknowledged it, so a group without consumers would
//! keep all entries, and its lag would grow for ever. The group of a single host (`component@host`) is deleted when that
//! host has been silent for [`Retention::host_timeout`]; a host that comes back later rebuilds its read models. A group
//! that hosts share keeps its place, because what is unavailable is waited for; it is deleted when it has been silent for
//! [`Retention::group_timeout`] and no component of the application has its name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::consumer::redrive_stream;
use super::{EventLog, GroupState, LogError};

/// The shortest silence after which a single host counts as gone.
const MIN_HOST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The shortest silence after which the group of an unknown component counts as unused.
const MIN_GROUP_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The shortest and the longest time between two passes over the log.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// How long entries and groups are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The age that an entry reaches before it is removed; `None` keeps every entry.
    pub min_age: Option<Duration>,
    /// The silence of a single host after which its groups are deleted.
    pub host_timeout: Duration,
    /// The silence after which the group of an unknown component is deleted.
    pub group_timeout: Duration,
    /// The components of the application, also those that do not run on this host.
    pub components: BTreeSet<String>,
}

/// Deletes groups and trims the streams at regular intervals until `stop` is cancelled. `current` returns the retention
/// and the streams that are valid at the time.
///
/// # Errors
/// Never; the result has the type of the other background tasks.
pub async fn enforce_until_cancelled(
    log: Arc<dyn EventLog>,
    current: impl Fn() -> (Retention, BTreeSet<String>),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut last = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(MIN_INTERVAL) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let (retention, streams) = current();
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
    /// Keeps entries for at least `min_age`, the group of a silent host for at least a day, and that of an unknown
    /// component for at least a week.
    pub fn new(min_age: Option<Duration>, components: BTreeSet<String>) -> Self {
        let longest = min_age.unwrap_or_default();
        Self {
            min_age,
            host_timeout: longest.max(MIN_HOST_TIMEOUT),
            group_timeout: longest.max(MIN_GROUP_TIMEOUT),
            components,
        }
    }

    /// The time between two passes.
    fn interval(&self) -> Duration {
        let interval = self.min_age.map(|min_age| min_age / 10);
        interval.map_or(MAX_INTERVAL, |it| it.clamp(MIN_INTERVAL, MAX_INTERVAL))
    }

    /// Deletes the groups that are not used any more and the entries that are old enough, and returns the number of
    /// entries. Any host may call it, at any time.
    ///
    /// # Errors
    /// If the log fails.
    pub async fn enforce(&self, log: &dyn EventLog, streams: &[&str]) -> Result<u64, LogError> {
        for stream in streams {
            for state in log.groups(stream).await? {
                if self.is_unused(&state) {
                    delete_group(log, &state.group, streams).await?;
                }
            }
        }
        let Some(min_age) = self.min_age else {
            return Ok(0);
        };
        let mut removed = 0;
        for stream in streams {
            removed += trim(log, stream, min_age).await?;
        }
        Ok(removed)
    }

    fn is_unused(&self, state: &GroupState) -> bool {
        let timeout = match state.is_of_one_host() {
            true => self.host_timeout,
            false if self.components.contains(&state.group) => return false,
            false => self.group_timeout,
        };
        state.silence.is_some_and(|silence| silence > timeout)
    }
}

impl GroupState {
    /// Whether the group belongs to a single host.
    pub fn is_of_one_host(&self) -> bool {
        self.group.contains('@')
    }
}

async fn trim(log: &dyn EventLog, stream: &str, min_age: Duration) -> Result<u64, LogError> {
    let mut removed = 0;
    loop {
        match log.trim(stream, min_age).await? {
            0 => return Ok(removed),
            some => removed += some,
        }
    }
}

async fn delete_group(log: &dyn EventLog, group: &str, streams: &[&str]) -> Result<(), LogError> {
    info!(group, "group deleted: nothing uses it any more");
    let redriven = redrive_stream(group);
    let streams = streams.iter().copied().chain([&*redriven]);
    log.delete_group(group, &streams.map(Arc::from).collect::<Vec<_>>())
        .await
}
