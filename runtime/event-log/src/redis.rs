//! The event log on a Redis server, as Redis Streams.
//!
//! Streams and groups are those of Redis, so the tools of Redis show them. Keys beside them hold what Redis has no place
//! for ([`scripts`]; `redis/common.lua` explains the keys). The log needs Redis 6.2.
//!
//! A group with one consumer, the usual case, is read and acknowledged with plain commands ([`sole_reader`]). Several
//! consumers share a group through scripts: each call is one, so it happens as a whole or not at all, also when the host
//! or the server fails meanwhile. Failures, dead letters and take-overs always use scripts. The lag is counted when it
//! is asked for.
//!
//! Data that the server loses is lost: it must keep an append-only file ([`RedisLog::warnings`] reports if it does not).
//! With `appendfsync everysec`, a killed server loses up to two seconds of confirmed writes, because it delays writes
//! while a sync is under way; with `always`, it loses nothing.

mod acknowledgements;
mod append_notifier;
mod claims;
mod heartbeats;
mod histories;
mod read_pace;
mod removals;
mod reply;
mod scripts;
mod sessions;
mod sole_reader;
mod warnings;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::{RedisError, ScriptInvocation, Value, cmd};

use self::append_notifier::AppendNotifier;
use self::heartbeats::Heartbeats;
use self::histories::Histories;
use self::reply::{EntryReply, GroupReply, entry_id};
use self::sole_reader::SoleReaders;
use super::{
    Consumer, Continuity, DEAD_LETTERS, Delivery, Entry, EntryId, EventLog, Fields, GroupState,
    LogError, Position, Progress,
};
use storage::redis_client::{RedisClient, RedisClientError};

/// The event log of hosts that share a server.
pub struct RedisLog {
    client: Arc<RedisClient>,
    notifier: AppendNotifier,
    sole_readers: SoleReaders,
    heartbeats: Heartbeats,
    histories: Histories,
}

impl RedisLog {
    /// The log on the server of this client. Nothing is connected yet.
    pub fn new(client: Arc<RedisClient>) -> Self {
        Self {
            notifier: AppendNotifier::new(client.clone()),
            sole_readers: SoleReaders::default(),
            heartbeats: Heartbeats::default(),
            histories: Histories::default(),
            client,
        }
    }

    /// Returns the settings of the server that put the log at risk, as texts for an operator.
    ///
    /// # Errors
    /// If the server is unavailable.
    pub async fn warnings(&self) -> Result<Vec<String>, LogError> {
        let info: String = self.client.query(cmd("INFO").arg("everything")).await?;
        Ok(warnings::of(&info))
    }
}

#[async_trait]
impl EventLog for RedisLog {
    async fn history(&self) -> Result<String, LogError> {
        self.histories.current(&self.client).await
    }

    async fn history_lost(&self) {
        self.histories.lost().await;
    }

    async fn append(&self, stream: &str, fields: &Fields) -> Result<EntryId, LogError> {
        let mut command = cmd("XADD");
        command.arg(stream).arg("*");
        for (name, value) in fields {
            command.arg(name).arg(&value[..]);
        }
        let id: String = self.client.query(&command).await?;
        entry_id(stream, &id)
    }

    async fn range(
        &self,
        stream: &str,
        from: EntryId,
        to: EntryId,
        limit: usize,
    ) -> Result<Vec<Entry>, LogError> {
        let mut command = cmd("XRANGE");
        command
            .arg(stream)
            .arg(from.to_string())
            .arg(to.to_string());
        command
            .arg("COUNT")
            .arg(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<EntryReply> = self.client.query(&command).await?;
        rows.into_iter()
            .map(|row| reply::entry(stream, row))
            .collect()
    }

    async fn newest_ids(
        &self,
        stream: &str,
        up_to: EntryId,
        limit: usize,
    ) -> Result<Vec<EntryId>, LogError> {
        let mut script = scripts::NEWEST_IDS.key(stream);
        script.arg(up_to.to_string());
        script.arg(i64::try_from(limit).unwrap_or(i64::MAX));
        let ids: Vec<String> = self.client.invoke(&script).await?;
        ids.iter().map(|id| entry_id(stream, id)).collect()
    }

    async fn length(&self, stream: &str) -> Result<u64, LogError> {
        Ok(self.client.query(cmd("XLEN").arg(stream)).await?)
    }

    async fn remove(&self, stream: &str, id: EntryId) -> Result<bool, LogError> {
        Ok(self
            .client
            .query(cmd("XDEL").arg(stream).arg(id.to_string()))
            .await?)
    }

    async fn subscribe(&self, consumer: &Consumer) -> Result<(), LogError> {
        self.sole_readers.end(consumer);
        self.check_history(consumer).await?;
        let mut script = scripts::SUBSCRIBE.prepare_invoke();
        stream_keys(&mut script, consumer.streams());
        consumer_arguments(&mut script, consumer);
        self.client.invoke::<String>(&script).await?;
        self.notifier.watch(consumer.streams());
        Ok(())
    }

    async fn claim(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        self.claim_or_wait(consumer, limit, wait).await
    }

    async fn acknowledge(&self, group: &str, positions: &[Position]) -> Result<(), LogError> {
        self.acknowledge_pending(group, positions).await?;
        self.histories.note_acknowledged(group, positions);
        Ok(())
    }

    async fn record_failure(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_after: Duration,
    ) -> Result<Option<u32>, LogError> {
        self.leave_to_scripts(group, position);
        let mut script = scripts::RECORD_FAILURE.arg(group);
        script
            .arg(ticket(position))
            .arg(milliseconds(retry_after))
            .arg(error);
        Ok(self.client.invoke(&script).await?)
    }

    async fn park(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        attempts: u32,
    ) -> Result<Option<EntryId>, LogError> {
        self.leave_to_scripts(group, position);
        let mut script = scripts::PARK.arg(group);
        script.arg(ticket(position)).arg(error).arg(attempts);
        let letter: Option<String> = self.client.invoke(&script).await?;
        self.histories
            .note_acknowledged(group, std::slice::from_ref(position));
        letter.map(|id| entry_id(DEAD_LETTERS, &id)).transpose()
    }

    async fn heartbeat(
        &self,
        consumer: &Consumer,
        consumer_timeout: Duration,
    ) -> Result<usize, LogError> {
        self.record_heartbeat(consumer, consumer_timeout).await
    }

    async fn leave(&self, consumer: &Consumer) -> Result<(), LogError> {
        self.sole_readers.end(consumer);
        let mut script = scripts::LEAVE.prepare_invoke();
        stream_keys(&mut script, consumer.streams());
        consumer_arguments(&mut script, consumer);
        self.client.invoke::<String>(&script).await?;
        Ok(())
    }

    async fn delete_group(&self, group: &str, streams: &[Arc<str>]) -> Result<(), LogError> {
        self.sole_readers.end_group(group, streams);
        let mut script = scripts::DELETE_GROUP.prepare_invoke();
        stream_keys(&mut script, streams);
        script.arg(group);
        self.client.invoke::<String>(&script).await?;
        Ok(())
    }

    async fn groups(&self, stream: &str) -> Result<Vec<GroupState>, LogError> {
        let script = scripts::GROUPS.key(stream);
        let rows: Vec<GroupReply> = self.client.invoke(&script).await?;
        let state = |(group, pending, lag, silence, unread): GroupReply| GroupState {
            group: group.0,
            pending,
            lag,
            silence: silence.map(Duration::from_millis),
            unread: unread.map(Duration::from_millis),
        };
        Ok(rows.into_iter().map(state).collect())
    }

    async fn lag(&self, stream: &str, group: &str) -> Result<Option<u64>, LogError> {
        let Some(info) = self.group_info(stream, group).await? else {
            return Ok(None);
        };
        match info.get("lag") {
            Some(Value::Int(lag)) => Ok(Some(u64::try_from(*lag).unwrap_or(0))),
            // Before Redis 7, or after a removal from the middle of the stream.
            _ => {
                let groups = self.groups(stream).await?;
                let state = groups.into_iter().find(|state| state.group == group);
                Ok(state.map(|state| state.lag))
            }
        }
    }

    async fn acknowledged_up_to(
        &self,
        stream: &str,
        group: &str,
    ) -> Result<Option<EntryId>, LogError> {
        let Some(info) = self.group_info(stream, group).await? else {
            return Ok(None);
        };
        let claimed = info.get("last-delivered-id").and_then(text);
        let claimed = entry_id(stream, claimed.unwrap_or_default())?;
        // Asked for afterwards: an entry that is claimed meanwhile is newer than those that were.
        let (_, first, ..): (u64, Option<String>, Value, Value) = self
            .client
            .query(cmd("XPENDING").arg(stream).arg(group))
            .await?;
        Ok(Some(match first {
            Some(first) => claimed.min(entry_id(stream, &first)?.previous()),
            None => claimed,
        }))
    }

    fn progress(&self, stream: &str, group: &str) -> Option<Progress> {
        self.histories.progress(stream, group)
    }

    fn forget(&self) {
        self.histories.forget_all();
    }

    async fn resume(
        &self,
        stream: &str,
        group: &str,
        kept: Progress,
    ) -> Result<Continuity, LogError> {
        histories::resume(self, stream, group, kept).await
    }

    async fn trim(
        &self,
        stream: &str,
        min_age: Duration,
        old: Option<EntryId>,
    ) -> Result<u64, LogError> {
        let mut script = scripts::TRIM.key(stream);
        script.arg(milliseconds(min_age));
        if let Some(old) = old {
            script.arg(old.to_string());
        }
        Ok(self.client.invoke(&script).await?)
    }

    async fn trimmed_up_to(&self, stream: &str) -> Result<Option<EntryId>, LogError> {
        self.removed_up_to(stream).await
    }

    async fn redrive(&self, letter: EntryId) -> Result<bool, LogError> {
        let script = scripts::REDRIVE.arg(letter.to_string());
        match self.client.invoke(&script).await? {
            Value::Int(redriven) => Ok(redriven == 1),
            group => Err(match text(&group) {
                Some(group) if !group.is_empty() => LogError::NoGroup(group.to_owned()),
                _ => LogError::Damaged(DEAD_LETTERS.to_owned()),
            }),
        }
    }
}

impl RedisLog {
    /// What the server tells of a group of the stream, if there is such a group.
    async fn group_info(
        &self,
        stream: &str,
        group: &str,
    ) -> Result<Option<HashMap<String, Value>>, LogError> {
        let mut info = cmd("XINFO");
        info.arg("GROUPS").arg(stream);
        let groups: Vec<HashMap<String, Value>> = match self.client.query(&info).await {
            Ok(groups) => groups,
            Err(RedisClientError::ErrorReply(reply)) if is_absent_stream(&reply) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let is_named = |it: &HashMap<String, Value>| it.get("name").and_then(text) == Some(group);
        Ok(groups.into_iter().find(is_named))
    }
}

/// Whether this is the reply about a stream that does not exist.
fn is_absent_stream(reply: &RedisError) -> bool {
    reply
        .detail()
        .is_some_and(|it| it.starts_with("no such key"))
}

/// A text in a reply.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(text) => std::str::from_utf8(text).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn stream_keys(script: &mut ScriptInvocation<'_>, streams: &[Arc<str>]) {
    for stream in streams {
        script.key(&**stream);
    }
}

fn consumer_arguments(script: &mut ScriptInvocation<'_>, consumer: &Consumer) {
    script
        .arg(&consumer.group)
        .arg(&consumer.name)
        .arg(&consumer.session);
}

/// The text by which the scripts name an entry.
fn ticket(position: &Position) -> String {
    format!("{} {}", position.id, position.stream)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
