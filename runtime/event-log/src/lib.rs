//! The event log: streams that remember, and groups that remember what they have done.
//!
//! A stream is an endless list of entries with growing ids. A *group* (a component, or a component
//! on one host) reads every stream it subscribed to from the beginning, shared among its
//! *consumers* (hosts). An entry that a consumer took is *pending* until the group acknowledges it;
//! when a consumer dies, another inherits what it had pending. An entry is only ever lost to a
//! group by being acknowledged.
//!
//! Entries are in *lanes*: those of one subject, on one stream. No two consumers have entries of
//! one lane pending at the same time; whoever has one is handed the next. That is what keeps
//! events in order when several hosts share the work.
//!
//! Two implementations pass one suite of tests: [`embedded`] (tables in the one SQLite file) and
//! [`redis`] (Redis Streams, 6.2 or newer). What could not be delivered ends in the stream
//! [`DEAD_LETTERS`] ([`dead_letters`]).

pub mod dead_letters;
pub mod delivery;
pub mod embedded;
mod entry;
mod fields;
pub mod redis;
pub mod retention;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use storage::database::DatabaseError;
use storage::redis_client::RedisClientError;

pub use self::embedded::EmbeddedLog;
pub use self::entry::{Entry, EntryId, Fields};
pub use self::redis::RedisLog;

/// Where dead letters are.
pub const DEAD_LETTERS: &str = "socar.dead";

/// The field of an entry that holds the event, and is what handlers get.
pub const EVENT_FIELD: &str = "event";

/// The field that names the lane of an entry which is back from the dead letters: the one it had.
const LANE_FIELD: &str = "@lane";

/// Streams, groups and dead letters.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends an entry and wakes who waits for it.
    async fn append(&self, stream: &str, fields: &Fields) -> Result<EntryId, LogError>;

    /// The first `limit` entries with ids between `from` and `to`, both included.
    async fn range(
        &self,
        stream: &str,
        from: EntryId,
        to: EntryId,
        limit: usize,
    ) -> Result<Vec<Entry>, LogError>;

    /// How many entries the stream holds.
    async fn length(&self, stream: &str) -> Result<u64, LogError>;

    /// Removes one entry, and says whether it was there.
    async fn remove(&self, stream: &str, id: EntryId) -> Result<bool, LogError>;

    /// Makes the reader a consumer of its group. A stream that is new to the group is read from
    /// its beginning. Everything that was pending for a consumer of this name will be taken anew,
    /// by this session; an earlier one is at its end.
    async fn subscribe(&self, consumer: &Consumer) -> Result<(), LogError>;

    /// Takes the next entries for this consumer, at most `limit` of each stream, in the order of
    /// their lanes. Waits up to `wait` while there are none.
    ///
    /// A call whose answer was lost may have taken entries, and may even do so later:
    /// [`EventLog::subscribe`] again, in a new session ([`Consumer::with_new_session`]).
    async fn claim(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError>;

    /// The group has done with these entries.
    async fn acknowledge(&self, group: &str, positions: &[Position]) -> Result<(), LogError>;

    /// Records a failed attempt and when the next one is due, and answers how many have failed;
    /// `None` if the entry is not pending any more.
    async fn record_failure(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_after: Duration,
    ) -> Result<Option<u32>, LogError>;

    /// Moves an entry that keeps failing to the dead letters; the group has done with it. `None` if
    /// it is not pending any more.
    async fn park(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        attempts: u32,
    ) -> Result<Option<EntryId>, LogError>;

    /// Shows that this consumer lives, and inherits what consumers had pending that have not done
    /// so for `consumer_timeout`. Answers how many entries that were; they will be taken next.
    async fn heartbeat(
        &self,
        consumer: &Consumer,
        consumer_timeout: Duration,
    ) -> Result<usize, LogError>;

    /// This consumer ends: what it has pending can be inherited at once.
    async fn leave(&self, consumer: &Consumer) -> Result<(), LogError>;

    /// Drops a group that nobody will ever be a consumer of again.
    async fn delete_group(&self, group: &str, streams: &[Arc<str>]) -> Result<(), LogError>;

    /// The groups that subscribed to the stream, and how far they are.
    async fn groups(&self, stream: &str) -> Result<Vec<GroupState>, LogError>;

    /// Removes a bounded number of entries that are older than `keep` and that every group of the
    /// stream has acknowledged, and answers how many: call again while it is not 0. A stream
    /// without groups keeps everything.
    async fn trim(&self, stream: &str, keep: Duration) -> Result<u64, LogError>;

    /// Gives a dead letter back to the group that failed, and to no other. `false` if there is no
    /// such letter (any more): doing it twice is doing it once.
    async fn redrive(&self, letter: EntryId) -> Result<bool, LogError>;
}

/// A consumer of a group, and the streams it reads.
#[derive(Debug, Clone)]
pub struct Consumer {
    pub group: String,
    pub name: String,
    /// What tells this reader from an earlier one of the same name.
    session: String,
    /// As subscribed to, then the group's own stream of redriven letters.
    streams: Vec<Arc<str>>,
}

/// Where an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub stream: Arc<str>,
    pub id: EntryId,
}

/// An entry that a consumer has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub position: Position,
    /// Entries of one lane are handled one after the other.
    pub lane: Arc<str>,
    /// Attempts that have failed before.
    pub attempts: u32,
    /// How long the next attempt has to wait.
    pub due_in: Duration,
    /// The field [`EVENT_FIELD`].
    pub event: Option<Bytes>,
}

/// How far a group is on one stream.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GroupState {
    pub group: String,
    /// Taken, and neither acknowledged nor parked.
    pub pending: u64,
    /// Not taken yet.
    pub lag: u64,
    /// When a consumer last showed that it lives, in milliseconds since 1970.
    pub seen: Option<u64>,
}

/// Why the log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Others took this consumer for dead and inherited its entries, or it has a newer session:
    /// subscribe again.
    #[error("consumer `{consumer}` of `{group}` was given up")]
    Evicted { group: String, consumer: String },
    #[error("an entry of `{0}` is damaged")]
    Damaged(String),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Redis(#[from] RedisClientError),
}

// === impl Consumer ===

impl Consumer {
    pub fn new(group: &str, name: &str, streams: &[&str]) -> Self {
        let redriven = redrive_stream(group);
        let streams = streams.iter().copied().chain([&*redriven]);
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            session: session(),
            streams: streams.map(Arc::from).collect(),
        }
    }

    /// The same consumer in a new session.
    #[must_use]
    pub fn with_new_session(&self) -> Self {
        Self {
            session: session(),
            ..self.clone()
        }
    }

    /// All streams that this reader takes from.
    pub fn streams(&self) -> &[Arc<str>] {
        &self.streams
    }

    fn evicted(&self) -> LogError {
        LogError::Evicted {
            group: self.group.clone(),
            consumer: self.name.clone(),
        }
    }

    /// The reader's own name of a stream, to spare a copy for each entry.
    fn stream(&self, name: &str) -> Arc<str> {
        let known = self.streams.iter().find(|stream| &***stream == name);
        known.map_or_else(|| Arc::from(name), Arc::clone)
    }
}

// === impl LogError ===

impl LogError {
    /// Whether the same may well succeed later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(error) => matches!(error, DatabaseError::Locked(_)),
            Self::Redis(error) => error.is_unavailable(),
            Self::Evicted { .. } => true,
            Self::Damaged(_) => false,
        }
    }
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The standard library seeds its hashers at random; no more is needed to tell sessions apart.
fn session() -> String {
    format!("{:016x}", RandomState::new().hash_one(0_u8))
}

/// The stream of one group on which its dead letters come back.
fn redrive_stream(group: &str) -> String {
    format!("socar.redrive.{group}")
}
