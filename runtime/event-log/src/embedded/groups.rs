//! What the log keeps in memory: the tails of the streams, and the groups that this process has subscribed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::cursor::{PendingEntry, StreamCursor};
use super::ids::unpack;
use super::tail::{LogEntry, Tail};
use crate::consumer::Consumer;
use crate::entry::now;
use crate::error::LogError;
use crate::{Delivery, Position, Progress};

/// The part of the log that is in memory. It changes under a mutex that is locked after the mutex of the database.
#[derive(Default)]
pub(super) struct LogMemory {
    tails: HashMap<Arc<str>, Tail>,
    pub groups: HashMap<String, SubscribedGroup>,
    /// The lost batches of the database when the memory was last compared with it.
    lost_batches: u64,
}

/// A group with its consumer.
pub(super) struct SubscribedGroup {
    pub consumer: Consumer,
    pub cursors: Vec<StreamCursor>,
    /// The pending entries that this session has not claimed yet: the index of the cursor, and the id.
    pub claim_again: VecDeque<(usize, i64)>,
    /// The time of the latest heartbeat or leave, in milliseconds since 1970.
    pub seen: u64,
    /// The time at which the database was told, in the same unit.
    pub seen_written: u64,
    /// Wakes the claim that waits for entries.
    pub appended: Arc<Notify>,
}

// === impl LogMemory ===

impl LogMemory {
    /// Forgets everything if a batch was lost since the last look, and returns whether one was.
    pub fn compare(&mut self, lost_batches: u64) -> bool {
        let has_lost = self.lost_batches != lost_batches;
        if has_lost {
            self.lost_batches = lost_batches;
            self.forget();
        }
        has_lost
    }

    /// Forgets everything, as the end of the process would: a lost batch may have held what events have caused that count as
    /// acknowledged here. The consumers are evicted, and subscribe again to what the database holds.
    pub fn forget(&mut self) {
        self.tails.clear();
        for (_, group) in self.groups.drain() {
            group.appended.notify_one();
        }
    }

    /// Assumes that the database has lost writes: tails are read again, and positions are written again.
    pub fn forget_writes(&mut self) {
        self.forget_tails();
        for group in self.groups.values_mut() {
            group
                .cursors
                .iter_mut()
                .for_each(StreamCursor::forget_writes);
        }
    }

    /// Makes the groups read the streams from the database, because entries may be there that are not in memory.
    pub fn forget_tails(&mut self) {
        self.tails.values_mut().for_each(Tail::forget);
        for group in self.groups.values() {
            group.appended.notify_one();
        }
    }

    /// As [`LogMemory::forget_tails`], for one stream.
    pub fn forget_tail(&mut self, stream: &str) {
        if let Some(tail) = self.tails.get_mut(stream) {
            tail.forget();
        }
        for group in self.groups.values().filter(|group| group.reads(stream)) {
            group.appended.notify_one();
        }
    }

    /// Hands an entry that was just appended to the groups of its stream. Returns whether a position changed.
    pub fn append(&mut self, stream: &str, entry: LogEntry) -> bool {
        if !self.groups.values().any(|group| group.reads(stream)) {
            self.tails.remove(stream);
            return false;
        }
        let tail = self.tails.entry(stream.into()).or_default();
        let mut moved = false;
        for group in self.groups.values_mut() {
            let handles = group.consumer.handles(entry.event_type.as_deref());
            let Some(cursor) = group.cursor_mut(stream) else {
                continue;
            };
            let mut unread = tail.after(cursor.read());
            if handles {
                group.appended.notify_one();
            } else if unread
                .as_mut()
                .is_some_and(|unread| unread.next().is_none())
            {
                cursor.skip(entry.id);
                moved = true;
            }
        }
        tail.push(entry);
        moved
    }

    /// Forgets a group whose consumer is of this kind. The consumer is evicted.
    pub fn end_group(&mut self, group: &str, is_ended: impl Fn(&Consumer) -> bool) {
        let is_ended = |it: &SubscribedGroup| is_ended(&it.consumer);
        if self.groups.get(group).is_some_and(is_ended)
            && let Some(ended) = self.groups.remove(group)
        {
            ended.appended.notify_one();
        }
    }

    pub fn remove(&mut self, stream: &str, id: i64) {
        if let Some(tail) = self.tails.get_mut(stream) {
            tail.remove(id);
        }
    }

    /// The group of a consumer, with the tails.
    ///
    /// # Errors
    /// [`LogError::Evicted`] if this is not the present session.
    pub fn of(
        &mut self,
        consumer: &Consumer,
    ) -> Result<(&mut SubscribedGroup, &mut HashMap<Arc<str>, Tail>), LogError> {
        let group = self.groups.get_mut(&consumer.group);
        let current = group.filter(|group| group.consumer.is_same_session(consumer));
        let group = current.ok_or_else(|| consumer.evicted())?;
        Ok((group, &mut self.tails))
    }

    /// Whether the database holds other positions than the memory.
    pub fn has_unwritten(&self) -> bool {
        let mut cursors = self.groups.values().flat_map(|group| &group.cursors);
        cursors.any(|cursor| cursor.unwritten_position().is_some())
    }

    /// The number of entries that a group has not read, if the memory has all of them.
    pub fn lag(&self, stream: &str, group: &str) -> Option<u64> {
        let cursor = self.groups.get(group)?.cursor(stream)?;
        let unread = self.tails.get(stream)?.after(cursor.read())?;
        Some(unread.count() as u64)
    }

    /// The id up to which a group has acknowledged a stream.
    pub fn acknowledged_up_to(&self, stream: &str, group: &str) -> Option<i64> {
        let cursor = self.groups.get(group)?.cursor(stream)?;
        Some(cursor.acknowledged_up_to())
    }

    /// See [`crate::EventLog::progress`].
    pub fn progress(&self, stream: &str, group: &str) -> Option<Progress> {
        let cursor = self.groups.get(group)?.cursor(stream)?;
        Some(Progress {
            claimed: unpack(cursor.newest()?),
            acknowledged: unpack(cursor.acknowledged_up_to()),
        })
    }

    /// The number of groups that read a stream.
    pub fn count(&self, stream: &str) -> usize {
        let groups = self.groups.values();
        groups.filter(|group| group.reads(stream)).count()
    }
}

// === impl SubscribedGroup ===

impl SubscribedGroup {
    pub fn new(consumer: &Consumer, cursors: Vec<StreamCursor>, seen: u64) -> Self {
        let indexed = cursors.iter().enumerate();
        let recorded =
            indexed.flat_map(|(index, cursor)| cursor.recorded_ids().map(move |id| (index, id)));
        Self {
            claim_again: recorded.collect(),
            consumer: consumer.clone(),
            cursors,
            seen,
            seen_written: seen,
            appended: Arc::default(),
        }
    }

    fn reads(&self, stream: &str) -> bool {
        self.cursors.iter().any(|cursor| &*cursor.stream == stream)
    }

    pub fn cursor(&self, stream: &str) -> Option<&StreamCursor> {
        self.cursors.iter().find(|cursor| &*cursor.stream == stream)
    }

    pub fn cursor_mut(&mut self, stream: &str) -> Option<&mut StreamCursor> {
        let mut cursors = self.cursors.iter_mut();
        cursors.find(|cursor| &*cursor.stream == stream)
    }

    /// The pending entry at this position.
    pub fn pending(&self, position: &Position, id: i64) -> Option<&PendingEntry> {
        self.cursor(&position.stream)?.pending(id)
    }

    /// Whether it has moved past entries that it does not handle since the last write.
    pub fn has_skipped(&self) -> bool {
        self.cursors.iter().any(StreamCursor::has_skipped)
    }

    /// Claims the next entries of each stream from memory, at most `limit` of each. Returns `None`, and claims nothing,
    /// if the database may have others.
    pub fn claim_from(
        &mut self,
        tails: &HashMap<Arc<str>, Tail>,
        limit: usize,
    ) -> Option<Vec<Delivery>> {
        let has_all = |cursor: &StreamCursor| {
            let tail = tails.get(&cursor.stream);
            tail.is_some_and(|tail| tail.after(cursor.read()).is_some())
        };
        if !self.claim_again.is_empty() || !self.cursors.iter().all(has_all) {
            return None;
        }
        let mut claimed = Vec::new();
        for cursor in &mut self.cursors {
            let tail = tails.get(&cursor.stream);
            let new = tail.and_then(|tail| tail.after(cursor.read()));
            claim_each(
                &self.consumer,
                cursor,
                new.into_iter().flatten(),
                limit,
                &mut claimed,
            );
        }
        Some(claimed)
    }
}

/// Claims the entries that the consumer handles, at most `limit`, and skips the others up to there.
pub(super) fn claim_each<'e>(
    consumer: &Consumer,
    cursor: &mut StreamCursor,
    entries: impl Iterator<Item = &'e LogEntry>,
    limit: usize,
    claimed: &mut Vec<Delivery>,
) {
    let before = claimed.len();
    for entry in entries {
        if claimed.len() - before >= limit {
            return;
        }
        if consumer.handles(entry.event_type.as_deref()) {
            let stream = cursor.stream.clone();
            let pending = cursor.claim(entry);
            claimed.push(delivery(stream, entry, pending));
        } else {
            cursor.skip(entry.id);
        }
    }
}

pub(super) fn delivery(stream: Arc<str>, entry: &LogEntry, pending: &PendingEntry) -> Delivery {
    Delivery {
        position: Position {
            stream,
            id: unpack(entry.id),
        },
        lane: pending.lane.clone(),
        attempts: pending.attempts,
        due_in: Duration::from_millis(pending.due.saturating_sub(now())),
        event: entry.event.clone(),
    }
}
