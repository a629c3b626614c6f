//! The event log in the embedded SQLite file, for a host that runs alone.
//!
//! An append is one statement and wakes the waiting consumers of this process; `socar dead-letters` appends from another
//! process, and a consumer sees such an entry at its next look. Each call of a group is one transaction ([`group`],
//! [`claim`]). A consumer gets committed entries only: a crash does not undo an entry that a component has reacted to.
//!
//! A lock file lets one host at a time use the state directory, so a group has one consumer. When a consumer
//! subscribes, it evicts an earlier one and takes over its pending entries at once. An earlier one exists after a
//! restart, or when the file was restored beside another host name.

mod claim;
mod entries;
mod group;
mod ids;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use self::ids::LastId;
use super::entry::lane;
use super::{
    Consumer, DEAD_LETTERS, Delivery, Entry, EntryId, EventLog, Fields, GroupState, LogError,
    Position, dead_letters,
};
use storage::database::{CommitWatermark, Database, DatabaseError};

/// The event log of a host that runs alone.
pub struct EmbeddedLog {
    database: Arc<Database>,
    appended: Notify,
    last_id: LastId,
}

impl EmbeddedLog {
    /// Opens the log in this database, and creates its tables if they are missing.
    ///
    /// # Errors
    /// If the tables cannot be created.
    pub fn open(database: Arc<Database>) -> Result<Self, DatabaseError> {
        database.create_schema(schema::SCHEMA)?;
        Ok(Self {
            database,
            appended: Notify::new(),
            last_id: LastId::default(),
        })
    }

    /// Returns the number of groups that read this stream.
    ///
    /// # Errors
    /// If the database fails.
    pub fn group_count(&self, stream: &str) -> Result<i64, LogError> {
        Ok(self
            .database
            .read(|connection| group::count(connection, stream))?)
    }

    /// Claims at once, or after each append until `wait` has passed.
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
            // An enabled notification is not missed, also between the claim and the wait.
            appended.as_mut().enable();
            let watermark = CommitWatermark::from_now(&self.database);
            let claimed = self.claim_now(consumer, limit)?;
            if !claimed.is_empty() {
                watermark.wait_durable().await?;
                return Ok(claimed);
            }
            if timeout_at(deadline, appended).await.is_err() {
                return Ok(claimed);
            }
        }
    }

    /// Most appends go to other streams, so a read comes before the write.
    fn claim_now(&self, consumer: &Consumer, limit: usize) -> Result<Vec<Delivery>, LogError> {
        let has_unclaimed = self
            .database
            .read(|connection| claim::has_unclaimed(connection, consumer))?;
        if !has_unclaimed {
            return Ok(Vec::new());
        }
        self.database
            .transaction(|connection| claim::claim(connection, consumer, limit))
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn append(&self, stream: &str, fields: &Fields) -> Result<EntryId, LogError> {
        let lane = lane(stream, fields);
        let id = self.database.write(|connection| {
            entries::insert(connection, &self.last_id, stream, &lane, fields)
        })?;
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
            .read(|connection| entries::range(connection, stream, from, to, limit))?
            .into_iter()
            .map(|row| row.decode(stream))
            .collect()
    }

    async fn length(&self, stream: &str) -> Result<u64, LogError> {
        Ok(self
            .database
            .read(|connection| entries::length(connection, stream))?)
    }

    async fn remove(&self, stream: &str, id: EntryId) -> Result<bool, LogError> {
        Ok(self
            .database
            .write(|connection| entries::remove(connection, stream, id))?)
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
        Ok(self.database.write(|connection| {
            group::record_failure(connection, group, position, error, retry_after)
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
            let (stream, id) = (&position.stream, position.id);
            let original = match entries::range(connection, stream, id, id, 1)?.pop() {
                Some(row) => row.decode(stream)?.fields,
                None => Fields::new(),
            };
            let letter = dead_letters::fields(group, position, &lane, error, attempts, original);
            let last_id = &self.last_id;
            let letter = entries::insert(connection, last_id, DEAD_LETTERS, DEAD_LETTERS, &letter)?;
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
            .transaction(|connection| group::heartbeat(connection, consumer, consumer_timeout))?;
        // The subscription took over the entries of an earlier consumer.
        Ok(0)
    }

    async fn leave(&self, consumer: &Consumer) -> Result<(), LogError> {
        Ok(self
            .database
            .write(|connection| group::leave(connection, consumer))?)
    }

    async fn delete_group(&self, group: &str, streams: &[Arc<str>]) -> Result<(), LogError> {
        self.database
            .transaction(|connection| group::delete(connection, group, streams))
    }

    async fn groups(&self, stream: &str) -> Result<Vec<GroupState>, LogError> {
        Ok(self
            .database
            .read(|connection| group::states(connection, stream))?)
    }

    async fn trim(&self, stream: &str, min_age: Duration) -> Result<u64, LogError> {
        Ok(self
            .database
            .write(|connection| entries::trim(connection, stream, min_age))?)
    }

    async fn redrive(&self, letter: EntryId) -> Result<bool, LogError> {
        let found = self.database.transaction(|connection| {
            let letters = entries::range(connection, DEAD_LETTERS, letter, letter, 1)?;
            let Some(row) = letters.into_iter().next() else {
                return Ok(false);
            };
            let letter = row.decode(DEAD_LETTERS)?;
            let (stream, fields) = dead_letters::redriven(&letter)?;
            let lane = lane(&stream, &fields);
            entries::insert(connection, &self.last_id, &stream, &lane, &fields)?;
            entries::remove(connection, DEAD_LETTERS, letter.id).map_err(LogError::from)
        })?;
        if found {
            self.appended.notify_waiters();
        }
        Ok(found)
    }
}
