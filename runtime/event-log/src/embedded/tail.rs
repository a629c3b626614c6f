//! The newest entries of a stream, in memory: consumers that keep up read no entry from the database.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::{Fields, Routing, event};
use crate::{LogError, fields};

/// The largest number of entries of a stream in memory, and of their bytes.
const MAX_ENTRIES: usize = 1024;
const MAX_BYTES: usize = 4 << 20;

/// An entry as consumers get it.
#[derive(Clone)]
pub(super) struct LogEntry {
    pub id: i64,
    pub lane: Arc<str>,
    pub event_type: Option<Arc<str>>,
    pub event: Option<Bytes>,
}

/// The newest entries of one stream, oldest first.
#[derive(Default)]
pub(super) struct Tail {
    entries: VecDeque<LogEntry>,
    bytes: usize,
    /// Every entry of the stream with a larger id is in `entries`; `None` while that is not known of any id.
    complete_after: Option<i64>,
}

impl LogEntry {
    pub fn new(id: i64, routing: Routing, fields: &Fields) -> Self {
        Self {
            id,
            lane: routing.lane,
            event_type: routing.event_type.map(Arc::from),
            event: event(fields),
        }
    }

    /// # Errors
    /// [`LogError::Damaged`] if the stored fields cannot be decoded.
    pub fn decode(stream: &str, id: i64, stored: Vec<u8>) -> Result<Self, LogError> {
        let fields = fields::decode(stored);
        let fields = fields.ok_or_else(|| LogError::Damaged(stream.to_owned()))?;
        Ok(Self::new(id, Routing::of(stream, &fields), &fields))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.event.as_ref().map_or(0, Bytes::len)
    }
}

impl Tail {
    /// Adds the newest entry of the stream.
    pub fn push(&mut self, entry: LogEntry) {
        self.complete_after.get_or_insert(entry.id - 1);
        self.bytes += entry.size();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
            self.complete_after = Some(oldest.id);
        }
    }

    /// The entries with larger ids, or `None` if the database may have more of them.
    pub fn after(&self, id: i64) -> Option<impl Iterator<Item = &LogEntry>> {
        let is_complete = self.complete_after.is_some_and(|known| id >= known);
        let first = self.entries.partition_point(|entry| entry.id <= id);
        is_complete.then(|| self.entries.range(first..))
    }

    /// Notes that the database has no entry with a larger id, other than those in memory.
    pub fn note_end(&mut self, id: i64) {
        let known = self.complete_after.unwrap_or(id);
        self.complete_after = Some(known.min(id));
    }

    pub fn remove(&mut self, id: i64) {
        if let Ok(index) = self.entries.binary_search_by_key(&id, |entry| entry.id)
            && let Some(removed) = self.entries.remove(index)
        {
            self.bytes -= removed.size();
        }
    }

    /// Forgets everything: the next reader asks the database.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i64, length: usize) -> LogEntry {
        LogEntry {
            id,
            lane: "lane".into(),
            event_type: None,
            event: Some(vec![b'x'; length].into()),
        }
    }

    fn ids(tail: &Tail, after: i64) -> Option<Vec<i64>> {
        Some(tail.after(after)?.map(|entry| entry.id).collect())
    }

    #[test]
    fn a_reader_before_the_first_known_entry_asks_the_database() {
        let mut tail = Tail::default();
        assert_eq!(ids(&tail, 0), None);
        tail.push(entry(5, 1));
        tail.push(entry(7, 1));
        assert_eq!(ids(&tail, 3), None);
        assert_eq!(ids(&tail, 4), Some(vec![5, 7]));
        assert_eq!(ids(&tail, 7), Some(vec![]));
        tail.remove(5);
        assert_eq!(ids(&tail, 4), Some(vec![7]));
        tail.forget();
        assert_eq!(ids(&tail, 7), None);
    }

    #[test]
    fn an_empty_stream_is_known_to_its_end() {
        let mut tail = Tail::default();
        tail.note_end(9);
        assert_eq!(ids(&tail, 9), Some(vec![]));
        assert_eq!(ids(&tail, 8), None);
        // A lost batch took the entries up to 9 back, and a reader that is at 7 finds none either.
        tail.note_end(7);
        assert_eq!(ids(&tail, 7), Some(vec![]));
        tail.note_end(8);
        assert_eq!(ids(&tail, 7), Some(vec![]));
    }

    #[test]
    fn old_entries_leave_a_tail_that_is_too_large() {
        let mut tail = Tail::default();
        for id in 1..=2000 {
            tail.push(entry(id, 10));
        }
        assert_eq!(ids(&tail, 975), None);
        assert_eq!(ids(&tail, 976).map(|ids| ids.len()), Some(MAX_ENTRIES));
        for id in 2001..=2003 {
            tail.push(entry(id, 3 << 20));
        }
        assert_eq!(ids(&tail, 2002), Some(vec![2003]));
    }
}
