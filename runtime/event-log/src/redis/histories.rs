//! The identity of the history on the server, and how its loss is noticed.
//!
//! A server that lost its last second, or that was restored from a backup, continues under the same identity. A consumer
//! subscribes again after each outage. It then looks for the newest entry that it has read; if that entry is lost, the
//! history is another one from now on. What a group has read before its host was started, the effects of the group know
//! ([`resume`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use redis::cmd;
use tokio::sync::Notify;

use super::RedisLog;
use crate::entry::new_history;
use crate::{Consumer, Continuity, Delivery, EntryId, EventLog, LogError, Position, Progress};
use storage::redis_client::RedisClient;

/// The key of the identity.
const KEY: &str = "socar.log:history";

/// What the groups of this process have read, by group and stream.
#[derive(Default)]
pub(super) struct Histories {
    readings: Mutex<HashMap<(String, Arc<str>), Reading>>,
    /// Notified when a loss was noticed.
    loss: Notify,
}

/// What a group has read on a stream.
#[derive(Default)]
struct Reading {
    newest: EntryId,
    /// The entries that a group of a single host has not acknowledged.
    pending: BTreeSet<EntryId>,
}

impl Histories {
    /// The identity of the history on the server, which begins one if it has none.
    pub async fn current(&self, client: &RedisClient) -> Result<String, LogError> {
        let mut begin = cmd("SET");
        begin.arg(KEY).arg(new_history()).arg("NX");
        client.query::<Option<String>>(&begin).await?;
        Ok(client.query(cmd("GET").arg(KEY)).await?)
    }

    /// See [`EventLog::history_lost`].
    pub async fn lost(&self) {
        self.loss.notified().await;
    }

    /// Forgets what all groups have read.
    pub fn forget_all(&self) {
        self.readings.lock().clear();
    }

    /// Notes what a consumer has read.
    pub fn note_read(&self, consumer: &Consumer, deliveries: &[Delivery]) {
        if deliveries.is_empty() {
            return;
        }
        let mut readings = self.readings.lock();
        for Delivery { position, .. } in deliveries {
            let key = (consumer.group.clone(), position.stream.clone());
            let reading = readings.entry(key).or_default();
            reading.newest = reading.newest.max(position.id);
            if consumer.is_of_one_host() {
                reading.pending.insert(position.id);
            }
        }
    }

    /// Notes what a group has acknowledged.
    pub fn note_acknowledged(&self, group: &str, positions: &[Position]) {
        if !Consumer::is_group_of_one_host(group) {
            return;
        }
        let mut readings = self.readings.lock();
        for position in positions {
            let key = (group.to_owned(), position.stream.clone());
            if let Some(reading) = readings.get_mut(&key) {
                reading.pending.remove(&position.id);
            }
        }
    }

    /// See [`EventLog::progress`]. Entries of an earlier session that were not claimed again count as acknowledged: the
    /// server keeps them.
    pub fn progress(&self, stream: &str, group: &str) -> Option<Progress> {
        let readings = self.readings.lock();
        let reading = readings.get(&(group.to_owned(), stream.into()))?;
        let first = reading.pending.first();
        Some(Progress {
            claimed: reading.newest,
            acknowledged: first.map_or(reading.newest, |first| first.previous()),
        })
    }

    /// The newest entry that a group of this process has read on a stream.
    fn newest_read(&self, group: &str, stream: &Arc<str>) -> Option<EntryId> {
        let key = (group.to_owned(), stream.clone());
        self.readings.lock().get(&key).map(|reading| reading.newest)
    }

    fn forget(&self, group: &str, stream: &Arc<str>) {
        self.readings
            .lock()
            .remove(&(group.to_owned(), stream.clone()));
    }
}

impl RedisLog {
    /// Begins another history if the server has lost an entry that the consumer has read.
    pub(super) async fn check_history(&self, consumer: &Consumer) -> Result<(), LogError> {
        // The stream of redriven letters loses each letter that is handled.
        let Some((_, streams)) = consumer.streams().split_last() else {
            return Ok(());
        };
        let group = &*consumer.group;
        let mut lost = Vec::new();
        for stream in streams {
            if let Some(read) = self.histories.newest_read(group, stream)
                && self.has_lost(stream, group, read).await?
            {
                lost.push((stream, read));
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        let mut begin = cmd("SET");
        begin.arg(KEY).arg(new_history());
        self.client.query::<String>(&begin).await?;
        for (stream, read) in lost {
            tracing::warn!(
                group,
                stream = &**stream,
                entry = %read,
                "events are lost: the log continues as another history"
            );
            // Only now: until another history has begun, each subscription has to notice the loss again.
            self.histories.forget(group, stream);
        }
        self.histories.loss.notify_one();
        Ok(())
    }

    /// Whether an entry that the group has read is gone without having been trimmed: the trimming begins with the oldest
    /// entry, and leaves the position of the group.
    async fn has_lost(&self, stream: &str, group: &str, read: EntryId) -> Result<bool, LogError> {
        if self.contains(stream, read, read).await? {
            return Ok(false);
        }
        if self.contains(stream, EntryId::MIN, read).await? {
            return Ok(true);
        }
        let acknowledged = self.acknowledged_up_to(stream, group).await?;
        Ok(acknowledged.is_none_or(|acknowledged| acknowledged < read))
    }

    async fn contains(&self, stream: &str, from: EntryId, to: EntryId) -> Result<bool, LogError> {
        Ok(!self.range(stream, from, to, 1).await?.is_empty())
    }
}

/// See [`EventLog::resume`].
pub(super) async fn resume(
    log: &RedisLog,
    stream: &str,
    group: &str,
    kept: Progress,
) -> Result<Continuity, LogError> {
    let acknowledged = log.acknowledged_up_to(stream, group).await?;
    if !log.contains(stream, kept.claimed, kept.claimed).await? {
        let is_trimmed = acknowledged == Some(kept.acknowledged)
            && !log.contains(stream, EntryId::MIN, kept.claimed).await?;
        return Ok(match is_trimmed {
            true => Continuity::Intact,
            false => Continuity::Broken,
        });
    }
    if acknowledged.is_none_or(|acknowledged| acknowledged <= kept.acknowledged) {
        return Ok(Continuity::Intact);
    }
    let mut rewind = cmd("XGROUP");
    rewind.arg("SETID").arg(stream).arg(group);
    rewind.arg(kept.acknowledged.to_string());
    log.client.query::<String>(&rewind).await?;
    Ok(Continuity::Rewound)
}
