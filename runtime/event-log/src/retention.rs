//! Removal of old entries, and of groups that no consumer will use again.
//!
//! An entry is removed when it is old enough and every group has acknowledged it, so a group without consumers would
//! keep all entries, and its lag would grow for ever. The group of a single host (`component@host`) is deleted when that
//! host has been silent for [`Retention::host_timeout`]; a host that comes back later rebuilds its read models. A group
//! that hosts share keeps its place, because what is unavailable is waited for.
//!
//! That holds for the streams that the application reads as this group ([`Retention::readers`]). On any other stream, the
//! group is deleted when none of its consumers has read that stream for the same time, or for
//! [`Retention::group_timeout`] where hosts share it: an earlier version of the application has used it, or another
//! application does. Whether the group is alive on other streams does not matter.
//!
//! Ids and heartbeats are times of day, and clocks may be wrong. What counts in addition is what earlier passes have seen
//! ([`Sightings`]): an entry is old when it was there `min_age` ago, whatever its id says, and no group is deleted before
//! several passes have found it unused.

mod sightings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::sightings::Sightings;
use super::delivery::Audience;
use super::{Consumer, EntryId, EventLog, GroupState, LogError, READ_INTERVAL};

/// The shortest silence after which a single host counts as gone.
const MIN_HOST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The shortest time after which a group that hosts share counts as unused on a stream that the application does not read
/// as this group.
const MIN_GROUP_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The time for which passes find a group unused before it is deleted. A clock that jumps forward makes each group look
/// so until its consumer has told the log again that it reads its streams.
const CONFIRMATION: Duration = Duration::from_secs(READ_INTERVAL.as_secs() * 3 / 2);

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
    /// The time after which a group that hosts share is deleted on a stream that the application does not read as this
    /// group.
    pub group_timeout: Duration,
    /// The time for which passes find a group unused before it is deleted.
    pub confirmation: Duration,
    /// What the application reads, also on other hosts.
    pub readers: BTreeSet<StreamReader>,
}

/// A component that reads a stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamReader {
    pub stream: String,
    pub component: String,
    pub audience: Audience,
}

/// Deletes groups and trims the streams at regular intervals until `stop` is cancelled. `current` returns the retention
/// that is valid at the time.
///
/// # Errors
/// Never; the result has the type of the other background tasks.
pub async fn enforce_until_cancelled(
    log: Arc<dyn EventLog>,
    current: impl Fn() -> Retention,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut last = Instant::now();
    let mut sightings = Sightings::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(MIN_INTERVAL) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let retention = current();
        if last.elapsed() < retention.interval() {
            continue;
        }
        last = Instant::now();
        match retention.enforce(&*log, &mut sightings).await {
            Ok(0) => {}
            Ok(removed) => info!(removed, "old events removed from the log"),
            // The next pass removes the same entries.
            Err(error) => warn!(%error, "old events could not be removed from the log"),
        }
    }
}

impl Retention {
    /// Keeps entries for at least `min_age`, the group of a silent host for at least a day, and a group that hosts share
    /// and that the application does not use for at least a week.
    pub fn new(min_age: Option<Duration>, readers: BTreeSet<StreamReader>) -> Self {
        let longest = min_age.unwrap_or_default();
        Self {
            min_age,
            host_timeout: longest.max(MIN_HOST_TIMEOUT),
            group_timeout: longest.max(MIN_GROUP_TIMEOUT),
            confirmation: CONFIRMATION,
            readers,
        }
    }

    /// Whether the application reads the stream as this group.
    pub fn uses(&self, stream: &str, group: &str) -> bool {
        let mut readers = self.readers.iter();
        readers.any(|reader| reader.stream == stream && reader.is_group(group))
    }

    /// The time between two passes.
    fn interval(&self) -> Duration {
        let interval = self.min_age.map(|min_age| min_age / 10);
        interval.map_or(MAX_INTERVAL, |it| it.clamp(MIN_INTERVAL, MAX_INTERVAL))
    }

    /// Deletes the groups that are not used any more and the entries that are old enough, and returns the number of
    /// entries. `sightings` are those of the earlier passes of this process over the log. Any host may call it, at any time.
    ///
    /// # Errors
    /// If the log fails.
    pub async fn enforce(
        &self,
        log: &dyn EventLog,
        sightings: &mut Sightings,
    ) -> Result<u64, LogError> {
        let unused = self.unused_groups(log).await?;
        for (group, streams) in sightings.note_unused(unused, self.confirmation, Instant::now()) {
            info!(
                group,
                streams = streams.join(", "),
                "group deleted: nothing uses it any more"
            );
            log.delete_group(&group, &streams).await?;
        }
        let Some(min_age) = self.min_age else {
            return Ok(0);
        };
        let mut removed = 0;
        for stream in self.streams() {
            let newest = log.newest_ids(stream, EntryId::MAX, 1).await?;
            let newest = newest.first().copied();
            let old = sightings.note_newest(stream, newest, min_age, Instant::now());
            removed += trim(log, stream, min_age, old).await?;
        }
        Ok(removed)
    }

    /// The streams that the application reads.
    fn streams(&self) -> BTreeSet<&str> {
        let readers = self.readers.iter();
        readers.map(|reader| reader.stream.as_str()).collect()
    }

    /// The groups that look unused, each with a stream on which that is so.
    async fn unused_groups(
        &self,
        log: &dyn EventLog,
    ) -> Result<BTreeSet<(String, Arc<str>)>, LogError> {
        let mut unused = BTreeSet::new();
        for stream in self.streams() {
            let states = log.groups(stream).await?.into_iter();
            let of_stream = states.filter(|state| self.is_unused(stream, state));
            unused.extend(of_stream.map(|state| (state.group, stream.into())));
        }
        Ok(unused)
    }

    fn is_unused(&self, stream: &str, state: &GroupState) -> bool {
        let is_of_one_host = state.is_of_one_host();
        let silence = match self.uses(stream, &state.group) {
            true if is_of_one_host => state.silence,
            true => return false,
            false => state.unread,
        };
        let timeout = match is_of_one_host {
            true => self.host_timeout,
            false => self.group_timeout,
        };
        silence.is_some_and(|silence| silence > timeout)
    }
}

impl StreamReader {
    /// Whether the component reads as this group, on any host.
    fn is_group(&self, group: &str) -> bool {
        match self.audience {
            Audience::Shared => group == self.component,
            Audience::EachHost => {
                let component = group.split_once('@').map(|(component, _)| component);
                component == Some(&self.component)
            }
        }
    }
}

impl GroupState {
    /// Whether the group belongs to a single host.
    pub fn is_of_one_host(&self) -> bool {
        Consumer::is_group_of_one_host(&self.group)
    }
}

async fn trim(
    log: &dyn EventLog,
    stream: &str,
    min_age: Duration,
    old: Option<EntryId>,
) -> Result<u64, LogError> {
    let mut removed = 0;
    loop {
        match log.trim(stream, min_age, old).await? {
            0 => return Ok(removed),
            some => removed += some,
        }
    }
}
