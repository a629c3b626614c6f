//! The event log in the embedded SQLite file, for a host that runs alone.
//!
//! The log knows and does not ask: what consumers need is in memory, and the database remembers it for the next start.
//!
//! - An append is one statement. It hands the entry to the groups of its stream ([`groups`]) and wakes those that handle
//!   its type. A consumer that keeps up reads no entry from the database ([`tail`]); one that is behind reads many with
//!   one statement.
//! - An entry that is claimed and acknowledged costs no statement. The positions of all groups are written together, in
//!   a commit that other writes need anyway ([`positions`]). Only an entry that fails, or that many others overtake, has
//!   a row of its own ([`cursor`]).
//! - Sessions are compared in memory. An idle log executes no statement.
//!
//! `socar dead-letters` may append from another process; a heartbeat notices it by the write-ahead log. A consumer gets
//! committed entries only: a crash does not undo an entry that a component has reacted to. When a batch of writes is
//! lost, the memory is forgotten, and the consumers subscribe to what the database holds.
//!
//! A lock file lets one host at a time use the state directory, so a group has one consumer. When a consumer
//! subscribes, it evicts an earlier one and takes over its pending entries at once. An earlier one exists after a
//! restart, or when the file was restored beside another host name.
//!
//! The effects of a group of a single host (a read model) are in another file. A power failure may take the last of them
//! and leave the position, so such a group reads the last seconds again after it was not ended in order.

mod claims;
mod cursor;
mod entries;
mod group_rows;
mod groups;
mod ids;
mod pending;
mod pending_rows;
mod positions;
mod schema;
mod sessions;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::cursor::StreamCursor;
use self::groups::SubscribedGroup;
use self::ids::{LastId, pack, unpack};
use self::positions::Positions;
use self::tail::LogEntry;
use super::consumer::redrive_stream;
use super::entry::{Routing, new_history, now};
use super::{
    Consumer, Continuity, DEAD_LETTERS, Delivery, Entry, EntryId, EventLog, Fields, GroupState,
    LogError, Position, Progress, dead_letters,
};
use storage::database::{Database, DatabaseError};

/// The event log of a host that runs alone.
pub struct EmbeddedLog {
    database: Arc<Database>,
    positions: Arc<Positions>,
    last_id: LastId,
    history: String,
}

impl EmbeddedLog {
    /// Opens the log in this database, and creates its tables if they are missing.
    ///
    /// # Errors
    /// If the tables cannot be created.
    pub fn open(database: Arc<Database>) -> Result<Self, DatabaseError> {
        database.create_schema(schema::SCHEMA)?;
        let history = database.write(|it| entries::history(it, &new_history()))?;
        Ok(Self {
            positions: Positions::of(&database),
            database,
            last_id: LastId::default(),
            history,
        })
    }

    /// Returns the number of groups that this process has subscribed to the stream.
    pub fn group_count(&self, stream: &str) -> usize {
        self.positions.lock().count(stream)
    }

    /// Whether a crash would repeat deliveries that are acknowledged in memory.
    #[cfg(test)]
    pub(crate) fn has_unwritten_positions(&self) -> bool {
        self.positions.lock().has_unwritten()
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn history(&self) -> Result<String, LogError> {
        Ok(self.history.clone())
    }

    async fn append(&self, stream: &str, fields: &Fields) -> Result<EntryId, LogError> {
        let routing = Routing::of(stream, fields);
        let (id, moved) = self.database.write(|connection| {
            let lane = &*routing.lane;
            let id = entries::insert(connection, &self.last_id, stream, lane, fields)?;
            // Under the mutex of the database, the entries arrive in the order of their ids.
            let entry = LogEntry::new(pack(id), routing, fields);
            Ok((id, self.positions.lock().append(stream, entry)))
        })?;
        if moved {
            self.positions.note_change();
        }
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

    async fn newest_ids(
        &self,
        stream: &str,
        up_to: EntryId,
        limit: usize,
    ) -> Result<Vec<EntryId>, LogError> {
        Ok(self
            .database
            .read(|connection| entries::newest_ids(connection, stream, up_to, limit))?)
    }

    async fn length(&self, stream: &str) -> Result<u64, LogError> {
        Ok(self
            .database
            .read(|connection| entries::length(connection, stream))?)
    }

    async fn remove(&self, stream: &str, id: EntryId) -> Result<bool, LogError> {
        Ok(self.database.write(|connection| {
            let was_there = entries::remove(connection, stream, id)?;
            self.positions.lock().remove(stream, pack(id));
            Ok(was_there)
        })?)
    }

    async fn subscribe(&self, consumer: &Consumer) -> Result<(), LogError> {
        let subscribed = self.database.transaction(|connection| {
            let seen = now();
            let has_left = group_rows::has_left(connection, &consumer.group)?;
            group_rows::add_consumer(connection, consumer, seen)?;
            let mut memory = self.positions.lock();
            let is_restart = !memory.groups.contains_key(&consumer.group);
            // What an earlier session has acknowledged is kept exactly, so this one is given nothing twice.
            if let Some(earlier) = memory.groups.get_mut(&consumer.group) {
                pending_rows::record_pending(connection, earlier)?;
            }
            group_rows::write_positions(connection, &mut memory)?;
            let mut cursors = group_rows::load(connection, consumer)?;
            if is_restart && !has_left && consumer.is_of_one_host() {
                cursors.iter_mut().for_each(StreamCursor::reread);
            }
            let group = SubscribedGroup::new(consumer, cursors, seen);
            if let Some(earlier) = memory.groups.insert(consumer.group.clone(), group) {
                earlier.appended.notify_one();
            }
            Ok::<_, LogError>(())
        });
        if subscribed.is_err() {
            self.positions.lock().forget_writes();
        }
        subscribed
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
        self.acknowledge_pending(group, positions)
    }

    async fn record_failure(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_after: Duration,
    ) -> Result<Option<u32>, LogError> {
        self.record_failed_attempt(group, position, error, retry_after)
    }

    async fn park(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        attempts: u32,
    ) -> Result<Option<EntryId>, LogError> {
        self.park_pending(group, position, error, attempts)
    }

    async fn heartbeat(
        &self,
        consumer: &Consumer,
        _consumer_timeout: Duration,
    ) -> Result<usize, LogError> {
        self.record_heartbeat(consumer)?;
        // The subscription took over the entries of an earlier consumer.
        Ok(0)
    }

    async fn leave(&self, consumer: &Consumer) -> Result<(), LogError> {
        self.record_leave(consumer)
    }

    async fn delete_group(&self, group: &str, streams: &[Arc<str>]) -> Result<(), LogError> {
        self.database.transaction(|connection| {
            let is_gone = group_rows::delete(connection, group, streams)?;
            self.positions
                .lock()
                .end_group(group, |consumer| is_gone || consumer.reads_any(streams));
            Ok(())
        })
    }

    async fn groups(&self, stream: &str) -> Result<Vec<GroupState>, LogError> {
        let now = now();
        if self.database.read(|it| group_rows::is_ahead(it, now))? {
            self.database
                .transaction(|it| Ok::<_, LogError>(group_rows::correct_times(it, now)?))?;
        }
        let states = self.database.read(|connection| {
            let rows = group_rows::list(connection, stream)?;
            rows.into_iter()
                .map(|row| self.state(connection, stream, row))
                .collect::<rusqlite::Result<_>>()
        });
        Ok(states?)
    }

    async fn lag(&self, stream: &str, group: &str) -> Result<Option<u64>, LogError> {
        if let Some(lag) = self.positions.lock().lag(stream, group) {
            return Ok(Some(lag));
        }
        let groups = self.groups(stream).await?;
        let state = groups.into_iter().find(|state| state.group == group);
        Ok(state.map(|state| state.lag))
    }

    async fn acknowledged_up_to(
        &self,
        stream: &str,
        group: &str,
    ) -> Result<Option<EntryId>, LogError> {
        let memory = self.positions.lock();
        Ok(memory.acknowledged_up_to(stream, group).map(unpack))
    }

    fn progress(&self, stream: &str, group: &str) -> Option<Progress> {
        self.positions.lock().progress(stream, group)
    }

    fn forget(&self) {
        self.positions.lock().forget();
    }

    async fn resume(
        &self,
        stream: &str,
        group: &str,
        kept: Progress,
    ) -> Result<Continuity, LogError> {
        Ok(self
            .database
            .write(|connection| group_rows::resume(connection, stream, group, kept))?)
    }

    async fn trim(
        &self,
        stream: &str,
        min_age: Duration,
        old: Option<EntryId>,
    ) -> Result<u64, LogError> {
        self.positions.write();
        self.database
            .transaction(|connection| Ok(entries::trim(connection, stream, min_age, old)?))
    }

    async fn trimmed_up_to(&self, stream: &str) -> Result<Option<EntryId>, LogError> {
        Ok(self
            .database
            .read(|connection| entries::trimmed_up_to(connection, stream))?)
    }

    async fn redrive(&self, letter: EntryId) -> Result<bool, LogError> {
        let stream = self.database.transaction(|connection| {
            let letters = entries::range(connection, DEAD_LETTERS, letter, letter, 1)?;
            let Some(row) = letters.into_iter().next() else {
                return Ok(None);
            };
            let letter = row.decode(DEAD_LETTERS)?;
            let (group, fields) = dead_letters::redriven(&letter)?;
            let stream = redrive_stream(&group);
            if !group_rows::is_read(connection, &stream)? {
                return Err(LogError::NoGroup(group));
            }
            let lane = Routing::of(&stream, &fields).lane;
            entries::insert(connection, &self.last_id, &stream, &lane, &fields)?;
            entries::remove(connection, DEAD_LETTERS, letter.id)?;
            Ok::<_, LogError>(Some(stream))
        })?;
        if let Some(stream) = &stream {
            self.positions.lock().forget_tail(stream);
        }
        Ok(stream.is_some())
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.positions.write();
    }
}
