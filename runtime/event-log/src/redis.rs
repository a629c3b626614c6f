//! The log on a Redis server, as Redis Streams.
//!
//! Streams and groups are Redis' own, so its tools show them; what Redis has no place for is kept
//! beside them. What a group does is one script each ([`scripts`]; the keys are explained in
//! `redis/common.lua`), so that it happens wholly or not at all, whatever dies meanwhile. Needs
//! Redis 6.2.
//!
//! What the server forgets is lost: it has to keep an append-only file ([`RedisLog::warnings`]
//! says if it does not). With `appendfsync everysec`, a killed server loses up to two seconds of
//! what it had confirmed, because it holds writes back while a sync is under way; with `always`,
//! nothing.

mod append_notifier;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{ScriptInvocation, cmd};
use tokio::time::Instant;

use self::append_notifier::AppendNotifier;
use super::{Consumer, Delivery, Entry, EntryId, EventLog, Fields, GroupState, LogError, Position};
use storage::redis_client::RedisClient;

/// How many entries of each stream one script takes; bounds the time that other clients wait.
const MAX_CLAIMED: usize = 32;

/// The log of hosts that share a server.
pub struct RedisLog {
    client: Arc<RedisClient>,
    notifier: AppendNotifier,
}

/// Stream, id, lane, attempts, milliseconds until due, event.
type Row = (String, String, String, u32, u64, Option<Vec<u8>>);

// === impl RedisLog ===

impl RedisLog {
    pub fn new(client: Arc<RedisClient>) -> Self {
        Self {
            notifier: AppendNotifier::new(client.clone()),
            client,
        }
    }

    /// What is wrong with the server for a log that must not forget, in words for its operator.
    ///
    /// # Errors
    /// If the server is unavailable.
    pub async fn warnings(&self) -> Result<Vec<String>, LogError> {
        let info: String = self.client.query(cmd("INFO").arg("everything")).await?;
        let value = |name: &str| {
            let found = info.lines().filter_map(|line| line.split_once(':'));
            found
                .into_iter()
                .find(|(key, _)| *key == name)
                .map_or("", |(_, value)| value)
        };
        let mut warnings = Vec::new();
        let version = value("redis_version");
        let mut numbers = version
            .split('.')
            .filter_map(|number| number.parse::<u32>().ok());
        if (numbers.next(), numbers.next()) < (Some(6), Some(2)) {
            warnings.push(format!("redis {version} is older than 6.2"));
        }
        if value("aof_enabled") != "1" {
            warnings.push("redis keeps no append-only file: what it had goes with it".to_owned());
        }
        if !matches!(value("maxmemory_policy"), "noeviction" | "") {
            warnings
                .push("redis may evict keys: set its maxmemory-policy to noeviction".to_owned());
        }
        Ok(warnings)
    }

    /// `None` if the consumer was given up.
    async fn claim_now(
        &self,
        consumer: &Consumer,
        limit: usize,
    ) -> Result<Vec<Delivery>, LogError> {
        let mut script = scripts::CLAIM.prepare_invoke();
        stream_keys(&mut script, consumer.streams());
        consumer_arguments(&mut script, consumer);
        script.arg(limit.min(MAX_CLAIMED));
        let rows: Option<Vec<Row>> = self.client.invoke(&script).await?;
        let rows = rows.ok_or_else(|| consumer.evicted())?;
        rows.into_iter()
            .map(|row| delivery(consumer, row))
            .collect()
    }
}

#[async_trait]
impl EventLog for RedisLog {
    async fn append(&self, stream: &str, fields: &Fields) -> Result<EntryId, LogError> {
        let mut command = cmd("XADD");
        command.arg(stream).arg("*");
        for (name, value) in fields {
            command.arg(name).arg(&value[..]);
        }
        let id: String = self.client.query(&command).await?;
        parse(stream, &id)
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
        let entries: Vec<(String, Vec<(String, Vec<u8>)>)> = self.client.query(&command).await?;
        let entry = |(id, fields): (String, Vec<(String, Vec<u8>)>)| {
            Ok(Entry {
                id: parse(stream, &id)?,
                fields: fields
                    .into_iter()
                    .map(|(name, value)| (name, value.into()))
                    .collect(),
            })
        };
        entries.into_iter().map(entry).collect()
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
        let mut script = scripts::SUBSCRIBE.prepare_invoke();
        stream_keys(&mut script, consumer.streams());
        consumer_arguments(&mut script, consumer);
        self.client.invoke::<String>(&script).await?;
        self.notifier.listen(consumer.streams());
        Ok(())
    }

    async fn claim(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            let appended = self.notifier.appended();
            tokio::pin!(appended);
            appended.as_mut().enable();
            let taken = self.claim_now(consumer, limit).await?;
            if !taken.is_empty() || !self.notifier.wait(appended, deadline).await {
                return Ok(taken);
            }
        }
    }

    async fn acknowledge(&self, group: &str, positions: &[Position]) -> Result<(), LogError> {
        if positions.is_empty() {
            return Ok(());
        }
        let mut script = scripts::ACKNOWLEDGE.arg(group);
        for position in positions {
            script.arg(ticket(position));
        }
        self.client.invoke::<String>(&script).await?;
        Ok(())
    }

    async fn record_failure(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_after: Duration,
    ) -> Result<Option<u32>, LogError> {
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
        let mut script = scripts::PARK.arg(group);
        script.arg(ticket(position)).arg(error).arg(attempts);
        let letter: Option<String> = self.client.invoke(&script).await?;
        letter.map(|id| parse(super::DEAD_LETTERS, &id)).transpose()
    }

    async fn heartbeat(
        &self,
        consumer: &Consumer,
        consumer_timeout: Duration,
    ) -> Result<usize, LogError> {
        let mut script = scripts::HEARTBEAT.prepare_invoke();
        stream_keys(&mut script, consumer.streams());
        consumer_arguments(&mut script, consumer);
        script.arg(milliseconds(consumer_timeout));
        let inherited: Option<usize> = self.client.invoke(&script).await?;
        inherited.ok_or_else(|| consumer.evicted())
    }

    async fn leave(&self, consumer: &Consumer) -> Result<(), LogError> {
        let mut script = scripts::LEAVE.prepare_invoke();
        consumer_arguments(&mut script, consumer);
        self.client.invoke::<String>(&script).await?;
        Ok(())
    }

    async fn delete_group(&self, group: &str, from: &[Arc<str>]) -> Result<(), LogError> {
        let mut script = scripts::DELETE_GROUP.prepare_invoke();
        stream_keys(&mut script, from);
        script.arg(group);
        self.client.invoke::<String>(&script).await?;
        Ok(())
    }

    async fn groups(&self, stream: &str) -> Result<Vec<GroupState>, LogError> {
        let script = scripts::GROUPS.key(stream);
        let rows: Vec<(String, u64, u64, Option<u64>)> = self.client.invoke(&script).await?;
        let state = |(group, pending, lag, seen)| GroupState {
            group,
            pending,
            lag,
            seen,
        };
        Ok(rows.into_iter().map(state).collect())
    }

    async fn trim(&self, stream: &str, keep: Duration) -> Result<u64, LogError> {
        let mut script = scripts::TRIM.key(stream);
        script.arg(milliseconds(keep));
        Ok(self.client.invoke(&script).await?)
    }

    async fn redrive(&self, letter: EntryId) -> Result<bool, LogError> {
        let script = scripts::REDRIVE.arg(letter.to_string());
        Ok(self.client.invoke(&script).await?)
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

fn ticket(position: &Position) -> String {
    format!("{} {}", position.id, position.stream)
}

fn delivery(consumer: &Consumer, row: Row) -> Result<Delivery, LogError> {
    let (stream, id, lane, attempts, due_in, event) = row;
    Ok(Delivery {
        position: Position {
            id: parse(&stream, &id)?,
            stream: consumer.stream(&stream),
        },
        lane: lane.into(),
        attempts,
        due_in: Duration::from_millis(due_in),
        event: event.map(Bytes::from),
    })
}

fn parse(stream: &str, id: &str) -> Result<EntryId, LogError> {
    id.parse().map_err(|_| LogError::Damaged(stream.to_owned()))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
