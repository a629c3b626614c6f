//! The identity of the history on the server, and how its loss is noticed.
//!
//! A server that lost its last second, or that was restored from a backup, continues under the same identity. A consumer
//! subscribes again after each outage. It then looks for the newest entry that it has read; if that entry is lost, the
//! history is another one from now on. What a group has read before its host was started, the effects of the group know
//! ([`resume`]).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use redis::cmd;

use super::RedisLog;
use crate::entry::new_history;
use crate::{Consumer, Continuity, Delivery, EntryId, EventLog, LogError, Progress};
use storage::redis_client::RedisClient;

/// The key of the identity.
const KEY: &str = "socar.log:history";

/// The newest entry that each group of this process has read on each stream.
#[derive(Default)]
pub(super) struct Histories(Mutex<HashMap<(String, Arc<str>), EntryId>>);

impl Histories {
    /// The identity of the history on the server, which begins one if it has none.
    pub async fn current(&self, client: &RedisClient) -> Result<String, LogError> {
        let mut begin = cmd("SET");
        begin.arg(KEY).arg(new_history()).arg("NX");
        client.query::<Option<String>>(&begin).await?;
        Ok(client.query(cmd("GET").arg(KEY)).await?)
    }

    /// Notes what a consumer has read.
    pub fn note_read(&self, group: &str, deliveries: &[Delivery]) {
        if deliveries.is_empty() {
            return;
        }
        let mut newest = self.0.lock();
        for Delivery { position, .. } in deliveries {
            let key = (group.to_owned(), position.stream.clone());
            let known = newest.entry(key).or_insert(position.id);
            *known = position.id.max(*known);
        }
    }

    /// The newest entry that a group of this process has read on a stream.
    fn newest_read(&self, group: &str, stream: &Arc<str>) -> Option<EntryId> {
        let key = (group.to_owned(), stream.clone());
        self.0.lock().get(&key).copied()
    }

    fn forget(&self, group: &str, stream: &Arc<str>) {
        self.0.lock().remove(&(group.to_owned(), stream.clone()));
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
        for stream in streams {
            let Some(read) = self.histories.newest_read(group, stream) else {
                continue;
            };
            if self.has_lost(stream, group, read).await? {
                self.histories.forget(group, stream);
                tracing::warn!(
                    group,
                    stream = &**stream,
                    entry = %read,
                    "events are lost: the log continues as another history"
                );
                let mut begin = cmd("SET");
                begin.arg(KEY).arg(new_history());
                self.client.query::<String>(&begin).await?;
            }
        }
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
        let progress = self.progress(stream, group).await?;
        Ok(progress.is_none_or(|progress| progress.claimed < read))
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
    let progress = log.progress(stream, group).await?;
    let acknowledged = progress.map(|progress| progress.acknowledged);
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
