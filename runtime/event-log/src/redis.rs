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

mod scripts;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{ScriptInvocation, cmd};
use tokio::time::Instant;

use self::waiting::Waiting;
use super::{Delivery, Entry, EntryId, EventLog, Fields, GroupState, LogError, Position, Reader};
use storage::redis_client::RedisClient;

/// How many entries of each stream one script takes; bounds the time that other clients wait.
const TAKEN: usize = 32;

/// The log of hosts that share a server.
pub struct RedisLog {
    client: Arc<RedisClient>,
    waiting: Waiting,
}

/// Stream, id, lane, attempts, milliseconds until due, event.
type Row = (String, String, String, u32, u64, Option<Vec<u8>>);

// === impl RedisLog ===

impl RedisLog {
    pub fn new(client: Arc<RedisClient>) -> Self {
        Self {
            waiting: Waiting::new(client.clone()),
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
    async fn take_now(&self, reader: &Reader, limit: usize) -> Result<Vec<Delivery>, LogError> {
        let mut script = scripts::TAKE.prepare_invoke();
        streams(&mut script, reader.streams());
        consumer(&mut script, reader);
        script.arg(limit.min(TAKEN));
        let rows: Option<Vec<Row>> = self.client.invoke(&script).await?;
        let rows = rows.ok_or_else(|| reader.evicted())?;
        rows.into_iter().map(|row| delivery(reader, row)).collect()
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

    async fn subscribe(&self, reader: &Reader) -> Result<(), LogError> {
        let mut script = scripts::SUBSCRIBE.prepare_invoke();
        streams(&mut script, reader.streams());
        consumer(&mut script, reader);
        self.client.invoke::<String>(&script).await?;
        self.waiting.listen(reader.streams());
        Ok(())
    }

    async fn take(
        &self,
        reader: &Reader,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            let appended = self.waiting.appended();
            tokio::pin!(appended);
            appended.as_mut().enable();
            let taken = self.take_now(reader, limit).await?;
            if !taken.is_empty() || !self.waiting.wait(appended, deadline).await {
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

    async fn fail(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_in: Duration,
    ) -> Result<Option<u32>, LogError> {
        let mut script = scripts::FAIL.arg(group);
        script
            .arg(ticket(position))
            .arg(milliseconds(retry_in))
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
        letter.map(|id| parse(super::DEAD, &id)).transpose()
    }

    async fn attend(&self, reader: &Reader, patience: Duration) -> Result<usize, LogError> {
        let mut script = scripts::ATTEND.prepare_invoke();
        streams(&mut script, reader.streams());
        consumer(&mut script, reader);
        script.arg(milliseconds(patience));
        let inherited: Option<usize> = self.client.invoke(&script).await?;
        inherited.ok_or_else(|| reader.evicted())
    }

    async fn leave(&self, reader: &Reader) -> Result<(), LogError> {
        let mut script = scripts::LEAVE.prepare_invoke();
        consumer(&mut script, reader);
        self.client.invoke::<String>(&script).await?;
        Ok(())
    }

    async fn forget(&self, group: &str, from: &[Arc<str>]) -> Result<(), LogError> {
        let mut script = scripts::FORGET.prepare_invoke();
        streams(&mut script, from);
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

fn streams(script: &mut ScriptInvocation<'_>, streams: &[Arc<str>]) {
    for stream in streams {
        script.key(&**stream);
    }
}

fn consumer(script: &mut ScriptInvocation<'_>, reader: &Reader) {
    script
        .arg(&reader.group)
        .arg(&reader.consumer)
        .arg(&reader.session);
}

fn ticket(position: &Position) -> String {
    format!("{} {}", position.id, position.stream)
}

fn delivery(reader: &Reader, row: Row) -> Result<Delivery, LogError> {
    let (stream, id, lane, attempts, due_in, event) = row;
    Ok(Delivery {
        position: Position {
            id: parse(&stream, &id)?,
            stream: reader.stream(&stream),
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
