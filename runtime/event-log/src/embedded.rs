//! The log in the embedded SQLite file.
//!
//! An append is one statement and wakes the readers of this process; a reader in another process
//! sees it when it next looks. What groups do is in [`group`], one transaction for each call. What a
//! reader gets is committed: a crash does not take back what a component has reacted to.

mod group;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::entry::{lane, now};
use super::{
    Consumer, DEAD_LETTERS, Delivery, Entry, EntryId, EventLog, Fields, GroupState, LogError,
    Position, dead_letters, fields,
};
use storage::database::{CommitWatermark, Database, DatabaseError};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS socar_log_entry (
    stream TEXT NOT NULL,
    id     INTEGER NOT NULL,
    lane   TEXT NOT NULL,
    fields BLOB NOT NULL,
    PRIMARY KEY (stream, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_group (
    stream TEXT NOT NULL,
    name   TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_session (
    reads   TEXT NOT NULL,
    name    TEXT NOT NULL,
    session TEXT NOT NULL,
    seen    INTEGER NOT NULL,
    PRIMARY KEY (reads, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_pending (
    reads    TEXT NOT NULL,
    stream   TEXT NOT NULL,
    id       INTEGER NOT NULL,
    lane     TEXT NOT NULL,
    consumer TEXT NOT NULL,
    taken    INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due      INTEGER NOT NULL DEFAULT 0,
    error    TEXT,
    PRIMARY KEY (reads, stream, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS socar_log_inbox
    ON socar_log_pending (reads, consumer, stream, id) WHERE taken = 0;
";

/// How many bits of a stored id count within its millisecond.
const SEQUENCE_BITS: u32 = 20;
const SEQUENCE_MAX: u64 = (1 << SEQUENCE_BITS) - 1;

/// How many entries one call of `trim` removes; bounds the time that others wait for it.
const TRIM_BATCH: u32 = 1000;

/// The log of a host that runs alone.
pub struct EmbeddedLog {
    database: Arc<Database>,
    appended: Notify,
    /// The newest id this process gave out, so that none is given twice after a removal.
    last: AtomicI64,
}

// === impl EmbeddedLog ===

impl EmbeddedLog {
    /// The log in this file.
    ///
    /// # Errors
    /// If its tables cannot be created.
    pub fn open(database: Arc<Database>) -> Result<Self, DatabaseError> {
        database.create_schema(SCHEMA)?;
        Ok(Self {
            database,
            appended: Notify::new(),
            last: AtomicI64::new(0),
        })
    }

    /// How many groups read this stream. The append before has woken those that wait.
    ///
    /// # Errors
    /// If the database fails.
    pub fn readers(&self, stream: &str) -> Result<i64, LogError> {
        Ok(self.database.read(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM socar_log_group WHERE stream = ?1")?
                .query_row([stream], |row| row.get(0))
        })?)
    }

    /// Ids grow whatever the clock does and whatever was removed: past the newest entry, past
    /// what any group has read, past what this process gave out.
    fn insert(
        &self,
        connection: &Connection,
        stream: &str,
        lane: &str,
        fields: &Fields,
    ) -> rusqlite::Result<EntryId> {
        let floor = pack(EntryId::new(now(), 0)).max(self.last.load(Ordering::Relaxed) + 1);
        let id = connection
            .prepare_cached(
                "INSERT INTO socar_log_entry (stream, id, lane, fields) VALUES (?1, max(?2,
                     coalesce((SELECT max(id) + 1 FROM socar_log_entry WHERE stream = ?1), 0),
                     coalesce((SELECT max(cursor) + 1 FROM socar_log_group WHERE stream = ?1), 0)
                 ), ?3, ?4) RETURNING id",
            )?
            .query_row(
                params![stream, floor, lane, fields::encode(fields)],
                |row| row.get(0),
            )?;
        self.last.fetch_max(id, Ordering::Relaxed);
        Ok(unpack(id))
    }

    /// Takes at once, or again after each append until `wait` is over.
    async fn claim_or_wait(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            let appended = self.appended.notified();
            tokio::pin!(appended);
            // From here on no append goes unnoticed, also one between looking and waiting.
            appended.as_mut().enable();
            let written = CommitWatermark::from_now(&self.database);
            let taken = self.claim_now(consumer, limit)?;
            if !taken.is_empty() {
                written.wait_durable().await?;
                return Ok(taken);
            }
            if timeout_at(deadline, appended).await.is_err() {
                return Ok(taken);
            }
        }
    }

    /// Most appends are none of this reader's business, so it looks before it writes.
    fn claim_now(&self, consumer: &Consumer, limit: usize) -> Result<Vec<Delivery>, LogError> {
        let news = self
            .database
            .read(|connection| group::has_unclaimed(connection, consumer));
        if !news? {
            return Ok(Vec::new());
        }
        let (taken, reassigned) = self
            .database
            .transaction(|connection| group::claim(connection, consumer, limit))?;
        if reassigned {
            self.appended.notify_waiters();
        }
        Ok(taken)
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn append(&self, stream: &str, fields: &Fields) -> Result<EntryId, LogError> {
        let lane = lane(stream, fields);
        let id = self
            .database
            .write(|connection| self.insert(connection, stream, &lane, fields))?;
        self.appended.notify_waiters();
        Ok(id)
    }

    async fn range(
        &self,
        stream: &str,
        from: EntryId,
        to: EntryId,
        limit: usize,
    ) -> Result<Vec<Entry>, LogError> {
        self.database
            .read(|connection| range(connection, stream, from, to, limit))?
            .into_iter()
            .map(|(id, blob)| entry(stream, id, blob))
            .collect()
    }

    async fn length(&self, stream: &str) -> Result<u64, LogError> {
        Ok(self.database.read(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM socar_log_entry WHERE stream = ?1")?
                .query_row([stream], |row| row.get(0).map(unsigned))
        })?)
    }

    async fn remove(&self, stream: &str, id: EntryId) -> Result<bool, LogError> {
        Ok(self
            .database
            .write(|connection| remove(connection, stream, id))?)
    }

    async fn subscribe(&self, consumer: &Consumer) -> Result<(), LogError> {
        self.database
            .transaction(|connection| group::subscribe(connection, consumer))
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
        self.database
            .transaction(|connection| group::acknowledge(connection, group, positions))
    }

    async fn record_failure(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_after: Duration,
    ) -> Result<Option<u32>, LogError> {
        let due = milliseconds_from_now(retry_after);
        Ok(self.database.write(|connection| {
            connection
                .prepare_cached(
                    "UPDATE socar_log_pending SET attempts = attempts + 1, due = ?4, error = ?5
                     WHERE reads = ?1 AND stream = ?2 AND id = ?3 RETURNING attempts",
                )?
                .query_row(
                    params![group, position.stream, pack(position.id), due, error],
                    |row| row.get(0),
                )
                .optional()
        })?)
    }

    async fn park(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        attempts: u32,
    ) -> Result<Option<EntryId>, LogError> {
        self.database.transaction(|connection| {
            let Some(lane) = group::pending_lane(connection, group, position)? else {
                return Ok(None);
            };
            let id = position.id;
            let found = range(connection, &position.stream, id, id, 1)?.pop();
            let original = match found {
                Some((id, blob)) => entry(&position.stream, id, blob)?.fields,
                None => Fields::new(),
            };
            let letter = dead_letters::fields(group, position, &lane, error, attempts, original);
            let letter = self.insert(connection, DEAD_LETTERS, DEAD_LETTERS, &letter)?;
            group::acknowledge(connection, group, std::slice::from_ref(position))?;
            Ok(Some(letter))
        })
    }

    async fn heartbeat(
        &self,
        consumer: &Consumer,
        consumer_timeout: Duration,
    ) -> Result<usize, LogError> {
        self.database
            .transaction(|connection| group::heartbeat(connection, consumer, consumer_timeout))
    }

    async fn leave(&self, consumer: &Consumer) -> Result<(), LogError> {
        self.database.write(|connection| {
            connection.execute(
                // Below every time, so that it counts as dead; without the sign, when it left.
                "UPDATE socar_log_session SET seen = -?4
                 WHERE reads = ?1 AND name = ?2 AND session = ?3",
                params![
                    consumer.group,
                    consumer.name,
                    consumer.session,
                    milliseconds_from_now(Duration::ZERO)
                ],
            )
        })?;
        Ok(())
    }

    async fn delete_group(&self, group: &str, streams: &[Arc<str>]) -> Result<(), LogError> {
        self.database
            .transaction(|connection| group::delete_group(connection, group, streams))
    }

    async fn groups(&self, stream: &str) -> Result<Vec<GroupState>, LogError> {
        Ok(self
            .database
            .read(|connection| group::states(connection, stream))?)
    }

    async fn trim(&self, stream: &str, keep: Duration) -> Result<u64, LogError> {
        let age = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let before = pack(EntryId::new(now().saturating_sub(age), 0));
        let removed = self.database.write(|connection| {
            connection
                .prepare_cached(
                    "DELETE FROM socar_log_entry WHERE stream = ?1 AND id IN (
                         SELECT id FROM socar_log_entry WHERE stream = ?1 AND id < min(?2,
                             coalesce((SELECT min(cursor) + 1 FROM socar_log_group
                                       WHERE stream = ?1), 0),
                             coalesce((SELECT min(id) FROM socar_log_pending
                                       WHERE stream = ?1), ?2))
                         ORDER BY id LIMIT ?3)",
                )?
                .execute(params![stream, before, TRIM_BATCH])
        })?;
        Ok(removed as u64)
    }

    async fn redrive(&self, letter: EntryId) -> Result<bool, LogError> {
        let found = self.database.transaction(|connection| {
            let Some((id, blob)) = range(connection, DEAD_LETTERS, letter, letter, 1)?.pop() else {
                return Ok(false);
            };
            let letter = entry(DEAD_LETTERS, id, blob)?;
            let (stream, fields) = dead_letters::redriven(&letter)?;
            self.insert(connection, &stream, &lane(&stream, &fields), &fields)?;
            remove(connection, DEAD_LETTERS, letter.id).map_err(LogError::from)
        })?;
        if found {
            self.appended.notify_waiters();
        }
        Ok(found)
    }
}

// === statements ===

fn range(
    connection: &Connection,
    stream: &str,
    from: EntryId,
    to: EntryId,
    limit: usize,
) -> rusqlite::Result<Vec<(EntryId, Vec<u8>)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT id, fields FROM socar_log_entry WHERE stream = ?1 AND id BETWEEN ?2 AND ?3
             ORDER BY id LIMIT ?4",
        )?
        .query_map(params![stream, pack(from), pack(to), limit], |row| {
            Ok((unpack(row.get(0)?), row.get(1)?))
        })?
        .collect()
}

fn remove(connection: &Connection, stream: &str, id: EntryId) -> rusqlite::Result<bool> {
    let rows = connection
        .prepare_cached("DELETE FROM socar_log_entry WHERE stream = ?1 AND id = ?2")?
        .execute(params![stream, pack(id)])?;
    Ok(rows == 1)
}

fn entry(stream: &str, id: EntryId, blob: Vec<u8>) -> Result<Entry, LogError> {
    let fields = fields::decode(blob).ok_or_else(|| LogError::Damaged(stream.to_owned()))?;
    Ok(Entry { id, fields })
}

// === numbers ===

fn pack(id: EntryId) -> i64 {
    const LAST: u64 = i64::MAX as u64 >> SEQUENCE_BITS;
    let packed = id.milliseconds.min(LAST) << SEQUENCE_BITS | id.sequence.min(SEQUENCE_MAX);
    i64::try_from(packed).unwrap_or(i64::MAX)
}

fn unpack(packed: i64) -> EntryId {
    let packed = unsigned(packed);
    EntryId::new(packed >> SEQUENCE_BITS, packed & SEQUENCE_MAX)
}

/// SQLite knows signed numbers only; none of ours is below 0.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn milliseconds_from_now(later: Duration) -> i64 {
    let later = u64::try_from(later.as_millis()).unwrap_or(u64::MAX);
    i64::try_from(now().saturating_add(later)).unwrap_or(i64::MAX)
}
