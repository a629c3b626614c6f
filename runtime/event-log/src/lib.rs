//! The event log: durable streams, and consumer groups that remember which entries they have handled.
//!
//! A *stream* is an append-only list of entries with growing ids. A *group* (a component, or a component on one host)
//! reads each of its streams from the beginning. The *consumers* of a group (its hosts) share the entries: an entry that
//! a consumer has claimed is *pending* until the group acknowledges it. When a consumer stops sending heartbeats,
//! another consumer of the group takes over its pending entries. A group loses an entry only by acknowledging it.
//!
//! A *lane* is the entries of one partition key on one stream; the partition key is the subject of the event. All
//! pending entries of a lane belong to one consumer, its *owner*, and the owner also gets the next entries of the lane.
//! This keeps events in order while several hosts share the work.
//!
//! Two implementations pass one test suite: [`embedded`] (tables in the SQLite file) and [`redis`] (Redis Streams, 6.2
//! or newer). Events that a group could not handle go to the stream [`DEAD_LETTERS`] ([`dead_letters`]). [`delivery`]
//! runs handlers on top of a log, [`retention`] removes old entries.

mod consumer;
pub mod dead_letters;
pub mod delivery;
pub mod embedded;
mod entry;
mod error;
mod fields;
pub mod redelivery;
pub mod redis;
pub mod retention;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::consumer::Consumer;
pub use self::embedded::EmbeddedLog;
pub use self::entry::{Entry, EntryId, Fields, without_byte_order_mark};
pub use self::error::LogError;
pub use self::redis::RedisLog;

/// The stream of dead letters.
pub const DEAD_LETTERS: &str = "socar.dead";

/// The field of an entry that holds the event; handlers get its value.
pub const EVENT_FIELD: &str = "event";

/// The longest time after which a log is told again that a consumer reads its streams.
pub const READ_INTERVAL: Duration = Duration::from_secs(300);

/// The field that keeps the lane of an entry while it is a dead letter, and after it was redriven.
const LANE_FIELD: &str = "@lane";

/// Streams, consumer groups and dead letters.
///
/// Every call is atomic: it happens as a whole or not at all, also when the host or the server fails meanwhile. A call
/// that returns an error may nevertheless have happened if the reply was lost.
///
/// Every method returns [`LogError::Database`] or [`LogError::Redis`] if the backend fails; the *Errors* sections name
/// the other errors.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Returns the identity of the history that the log holds: a text that is made up when the log is new, and again when
    /// the log notices that entries are lost. A copy that was made of another history has another identity, so data
    /// that is derived from the log is kept together with it.
    async fn history(&self) -> Result<String, LogError>;

    /// Waits until this process has noticed that entries are lost, and has begun another history. Of several callers, one
    /// returns. A log that loses nothing while its process runs lets its callers wait for ever.
    async fn history_lost(&self) {
        std::future::pending().await
    }

    /// Appends an entry to the stream, creates the stream if it is missing, and wakes waiting consumers. Returns the
    /// id of the entry.
    ///
    /// An implementation must return a larger id than every id that the stream has ever had, also after removals and
    /// when the clock was set back.
    async fn append(&self, stream: &str, fields: &Fields) -> Result<EntryId, LogError>;

    /// Returns the first `limit` entries with ids between `from` and `to`, both included, in the order of their ids. A
    /// missing stream is empty.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if a stored entry cannot be decoded.
    async fn range(
        &self,
        stream: &str,
        from: EntryId,
        to: EntryId,
        limit: usize,
    ) -> Result<Vec<Entry>, LogError>;

    /// Returns the ids of the newest `limit` entries up to `up_to`, which is included, from the newest to the oldest. A
    /// missing stream is empty. Other calls may wait meanwhile, about a millisecond for 1000 ids.
    async fn newest_ids(
        &self,
        stream: &str,
        up_to: EntryId,
        limit: usize,
    ) -> Result<Vec<EntryId>, LogError>;

    /// Returns the number of entries in the stream; 0 for a missing stream.
    async fn length(&self, stream: &str) -> Result<u64, LogError>;

    /// Removes one entry, and returns whether it was there. Groups treat a removed entry as acknowledged.
    async fn remove(&self, stream: &str, id: EntryId) -> Result<bool, LogError>;

    /// Makes `consumer` a consumer of its group, in its present session. Creates the group on each of the streams if it
    /// is missing; a new group reads from the beginning of the stream.
    ///
    /// Entries that are pending for a consumer of this name can be claimed again, by this session. An implementation
    /// must reject later calls of an earlier session with [`LogError::Evicted`]. An implementation for a single host
    /// evicts all other consumers of the group, and lets this one claim their pending entries.
    async fn subscribe(&self, consumer: &Consumer) -> Result<(), LogError>;

    /// Claims the next entries for this consumer: at most `limit` of each stream, in the order of each lane. Waits up
    /// to `wait` while there are none, then returns an empty list. Events of types that the consumer does not handle are
    /// acknowledged without a delivery.
    ///
    /// An implementation must return pending entries that are to be claimed again before new ones, and must give new
    /// entries of a lane to its owner. A call whose reply was lost may have claimed entries, or may do so later: the
    /// caller subscribes again, in a new session ([`Consumer::with_new_session`]).
    ///
    /// # Errors
    /// [`LogError::Evicted`] if this is not the present session of the consumer, [`LogError::Damaged`] if a stored
    /// entry cannot be decoded.
    async fn claim(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError>;

    /// Acknowledges entries on behalf of the group: they are no longer pending. An entry that is not pending is
    /// ignored, so the call can be repeated.
    async fn acknowledge(&self, group: &str, positions: &[Position]) -> Result<(), LogError>;

    /// Records a failed attempt, its error and the time until the next attempt. Returns the number of failed attempts,
    /// or `None` if the entry is not pending.
    async fn record_failure(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_after: Duration,
    ) -> Result<Option<u32>, LogError>;

    /// Moves a pending entry to the dead letters, with its error and the number of attempts, and acknowledges it.
    /// Returns the id of the dead letter, or `None` if the entry is not pending.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if the stored entry cannot be decoded.
    async fn park(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        attempts: u32,
    ) -> Result<Option<EntryId>, LogError>;

    /// Records that this consumer is alive. Removes the consumers of the group whose latest heartbeat is older than
    /// `consumer_timeout`, and makes this consumer the owner of their pending entries, which can be claimed next.
    /// Returns the number of these entries.
    ///
    /// # Errors
    /// [`LogError::Evicted`] if this is not the present session of the consumer.
    async fn heartbeat(
        &self,
        consumer: &Consumer,
        consumer_timeout: Duration,
    ) -> Result<usize, LogError>;

    /// Ends this consumer: the next heartbeat of another consumer takes over its pending entries at once. An earlier
    /// session of the consumer changes nothing.
    async fn leave(&self, consumer: &Consumer) -> Result<(), LogError>;

    /// Deletes a group on the given streams, which no consumer of it will read again. Where it reads no other stream, all
    /// of it is deleted, with its stream of redriven letters. A missing group is no error.
    async fn delete_group(&self, group: &str, streams: &[Arc<str>]) -> Result<(), LogError>;

    /// Returns the groups that subscribed to the stream, and their progress.
    async fn groups(&self, stream: &str) -> Result<Vec<GroupState>, LogError>;

    /// Returns the number of entries of the stream that the group has not claimed yet, or `None` if there is no such
    /// group. An implementation should make this cheaper than [`EventLog::groups`].
    async fn lag(&self, stream: &str, group: &str) -> Result<Option<u64>, LogError> {
        let groups = self.groups(stream).await?;
        let state = groups.into_iter().find(|state| state.group == group);
        Ok(state.map(|state| state.lag))
    }

    /// Returns the id up to which the group has acknowledged the stream: no entry up to it is pending or will be claimed
    /// for the first time. `None` if there is no such group on the stream. The id may be that of no entry, and it goes
    /// back when the group reads entries again after a crash.
    async fn acknowledged_up_to(
        &self,
        stream: &str,
        group: &str,
    ) -> Result<Option<EntryId>, LogError>;

    /// Returns how far a group of a single host has come on the stream since this process subscribed it, or `None` before
    /// its first entry. Costs neither a command nor a statement.
    fn progress(&self, stream: &str, group: &str) -> Option<Progress>;

    /// Forgets what this process knows of groups and has not stored, as its end would. Consumers subscribe again.
    fn forget(&self);

    /// Compares the log with the progress that the effects of a group have kept, before its consumer subscribes: either
    /// may have been restored without the other. A group that has acknowledged later entries gets them again.
    async fn resume(
        &self,
        stream: &str,
        group: &str,
        kept: Progress,
    ) -> Result<Continuity, LogError>;

    /// Removes old entries that every group of the stream has acknowledged, at most about 1000 a call. Returns how many were
    /// removed: the caller repeats the call until it is 0. A stream without groups keeps all entries.
    ///
    /// An entry is old if its id says that it is older than `min_age`, or if its id is at most `old`. The caller knows the
    /// latter by observation: the id of an entry is a time of day, and lies in the future after a clock was set back.
    async fn trim(
        &self,
        stream: &str,
        min_age: Duration,
        old: Option<EntryId>,
    ) -> Result<u64, LogError>;

    /// Returns the id up to which entries may be missing because [`EventLog::trim`] removed them, or `None` if it has
    /// removed none of this stream. A trim records the id together with the removal, and nothing removes it: a group that
    /// begins later does not get the whole stream, whatever the retention is by then.
    async fn trimmed_up_to(&self, stream: &str) -> Result<Option<EntryId>, LogError>;

    /// Gives a dead letter back to the group that failed to handle it, and to no other group. Returns `false` if there
    /// is no such letter. Of several concurrent calls for one letter, exactly one must return `true`.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if the letter names no group, [`LogError::NoGroup`] if that group does not exist: the letter
    /// stays.
    async fn redrive(&self, letter: EntryId) -> Result<bool, LogError>;
}

/// The position of an entry in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub stream: Arc<str>,
    pub id: EntryId,
}

/// An entry that a consumer has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub position: Position,
    /// The lane; entries of one lane are handled one after the other.
    pub lane: Arc<str>,
    /// The number of failed attempts so far.
    pub attempts: u32,
    /// The time that the next attempt must wait.
    pub due_in: Duration,
    /// The value of the field [`EVENT_FIELD`]; `None` if the entry has no such field.
    pub event: Option<Bytes>,
}

/// How far a group has come on one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The newest entry that it has claimed.
    pub claimed: EntryId,
    /// The id up to which it has acknowledged the entries that it has claimed; it may be the id of no entry.
    pub acknowledged: EntryId,
}

/// Whether a log continues the history whose effects a group has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// The group goes on where its effects end.
    Intact,
    /// The group had gone on without its effects, and gets the later entries again.
    Rewound,
    /// The log has lost entries that the group has handled, or has removed entries that it has to get again.
    Broken,
}

/// The state of a group on one stream.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GroupState {
    pub group: String,
    /// The number of entries that are claimed, but neither acknowledged nor parked.
    pub pending: u64,
    /// The number of entries that are not claimed yet.
    pub lag: u64,
    /// The time since the latest heartbeat or leave of a consumer, by the clock of the log; `None` if the group never had
    /// a consumer.
    pub silence: Option<Duration>,
    /// The time since a consumer of the group last read this stream, by the clock of the log; `None` if the group never had
    /// a consumer. While a consumer reads the stream, it is at most about [`READ_INTERVAL`]. A group that is not silent may
    /// have subscribed to fewer streams than before.
    pub unread: Option<Duration>,
}
