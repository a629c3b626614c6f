//! How far a group has come on one stream.
//!
//! The database holds a *position* and rows of `socar_log_pending`: every entry up to the position that has no row is
//! acknowledged. An entry gets a row when it fails, or when many later entries are claimed before it is acknowledged;
//! all others are pending in memory only. After a crash, entries above the position are delivered again, also those
//! that were acknowledged: about [`MAX_UNRECORDED`] of a stream, and those acknowledged since the last write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ids;
use super::tail::LogEntry;
use crate::entry::EntryId;

/// The number of entries that may be claimed after a pending entry before it gets a row.
const MAX_UNRECORDED: u64 = 256;

/// What a group that keeps its effects in another file reads again after a crash: more than the time after which
/// either file is synced.
const REREAD: Duration = Duration::from_secs(2);

/// The progress of a group on one stream.
pub(super) struct StreamCursor {
    pub stream: Arc<str>,
    /// The newest entry that was claimed, or that the group does not handle.
    read: i64,
    /// The newest entry that this process has seen.
    newest: Option<i64>,
    /// The position in the database; `None` if it may hold another one than this process has written.
    written: Option<i64>,
    /// Pending entries without a row, up to `read`.
    unrecorded: BTreeMap<i64, PendingEntry>,
    /// Pending entries with a row. After a crash, some may be newer than `read`.
    recorded: BTreeMap<i64, PendingEntry>,
    /// The number of entries that were claimed.
    claimed: u64,
    /// Whether entries were skipped since the last write.
    has_skipped: bool,
}

/// An entry that is not acknowledged.
#[derive(Clone)]
pub(super) struct PendingEntry {
    pub lane: Arc<str>,
    /// The number of failed attempts.
    pub attempts: u32,
    /// The time of the next attempt, in milliseconds since 1970.
    pub due: u64,
    /// Its number among the claimed entries.
    number: u64,
}

impl StreamCursor {
    /// The cursor that the database holds.
    pub fn stored(stream: Arc<str>, position: i64) -> Self {
        Self {
            stream,
            read: position,
            newest: None,
            written: Some(position),
            unrecorded: BTreeMap::new(),
            recorded: BTreeMap::new(),
            claimed: 0,
            has_skipped: false,
        }
    }

    /// Adds a pending entry that has a row in the database.
    pub fn add_recorded(&mut self, id: i64, lane: Arc<str>, attempts: u32, due: u64) {
        let entry = PendingEntry {
            lane,
            attempts,
            due,
            number: 0,
        };
        self.recorded.insert(id, entry);
    }

    /// Goes back by [`REREAD`].
    pub fn reread(&mut self) {
        let milliseconds = ids::milliseconds(REREAD);
        let earlier = ids::pack(EntryId::new(milliseconds, 0));
        self.read = self.read.saturating_sub(earlier).max(0);
    }

    pub fn read(&self) -> i64 {
        self.read
    }

    /// The newest entry that was claimed or skipped since the start. `read` may be the id of no entry.
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Moves past an entry that the group does not handle.
    pub fn skip(&mut self, id: i64) {
        self.read = id;
        self.newest = self.newest.max(Some(id));
        self.has_skipped = true;
    }

    pub fn has_skipped(&self) -> bool {
        self.has_skipped
    }

    /// Notes that a write has considered the skipped entries.
    pub fn forget_skips(&mut self) {
        self.has_skipped = false;
    }

    /// Claims the next entry of the stream. A row for it tells of an attempt before a crash.
    pub fn claim(&mut self, entry: &LogEntry) -> &PendingEntry {
        self.read = entry.id;
        self.newest = self.newest.max(Some(entry.id));
        if self.recorded.contains_key(&entry.id) {
            return &self.recorded[&entry.id];
        }
        self.claimed += 1;
        self.unrecorded.entry(entry.id).or_insert(PendingEntry {
            lane: entry.lane.clone(),
            attempts: 0,
            due: 0,
            number: self.claimed,
        })
    }

    /// The newest entry that was claimed, without those from the first pending entry on.
    pub fn acknowledged_up_to(&self) -> i64 {
        let unrecorded = self.unrecorded.keys().next().copied();
        let first = unrecorded.into_iter().chain(self.recorded_ids().next());
        first
            .min()
            .map_or(self.read, |first| first.saturating_sub(1))
    }

    pub fn pending(&self, id: i64) -> Option<&PendingEntry> {
        self.unrecorded.get(&id).or_else(|| self.recorded.get(&id))
    }

    pub fn pending_count(&self) -> usize {
        self.unrecorded.len() + self.recorded.range(..=self.read).count()
    }

    /// The pending entries with a row, up to `read`.
    pub fn recorded_ids(&self) -> impl Iterator<Item = i64> {
        self.recorded.range(..=self.read).map(|(id, _)| *id)
    }

    pub fn is_recorded(&self, id: i64) -> bool {
        self.recorded.contains_key(&id)
    }

    /// Acknowledges an entry; an entry that is not pending is ignored.
    pub fn acknowledge(&mut self, id: i64) {
        if self.unrecorded.remove(&id).is_none() {
            self.recorded.remove(&id);
        }
    }

    /// Notes a failed attempt that was written to the row of the entry.
    pub fn record(&mut self, id: i64, attempts: u32, due: u64) {
        let entry = self.unrecorded.remove(&id);
        if let Some(mut entry) = entry.or_else(|| self.recorded.remove(&id)) {
            entry.attempts = attempts;
            entry.due = due;
            self.recorded.insert(id, entry);
        }
    }

    /// The entries that are to be recorded now: all, or those after which many others were claimed.
    pub fn to_record(&self, scope: RecordScope) -> impl Iterator<Item = (i64, &PendingEntry)> {
        let newest = match scope {
            RecordScope::Everything => u64::MAX,
            RecordScope::Late => self.claimed.saturating_sub(MAX_UNRECORDED),
        };
        let in_order = self.unrecorded.iter().map(|(id, entry)| (*id, entry));
        in_order.take_while(move |(_, entry)| entry.number <= newest)
    }

    /// Notes that these entries have rows.
    pub fn recorded(&mut self, ids: &[i64]) {
        for id in ids {
            if let Some(entry) = self.unrecorded.remove(id) {
                self.recorded.insert(*id, entry);
            }
        }
    }

    /// The position that the database is to hold, if it holds another one.
    pub fn unwritten_position(&self) -> Option<i64> {
        let first = self.unrecorded.first_key_value();
        let position = first.map_or(self.read, |(id, _)| id - 1);
        (self.written != Some(position)).then_some(position)
    }

    pub fn written(&mut self, position: i64) {
        self.written = Some(position);
    }

    /// Assumes that the database has lost what was written to it.
    pub fn forget_writes(&mut self) {
        self.written = None;
        let newer = self.recorded.split_off(&(self.read + 1));
        self.unrecorded.append(&mut self.recorded);
        self.recorded = newer;
        // The order of the ids is the order of the claims.
        self.claimed = 0;
        for entry in self.unrecorded.values_mut() {
            self.claimed += 1;
            entry.number = self.claimed;
        }
    }
}

/// The pending entries that get a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordScope {
    Everything,
    /// Those after which more than [`MAX_UNRECORDED`] entries were claimed.
    Late,
}
