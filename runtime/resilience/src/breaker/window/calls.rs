//! A window of calls: the most recent ones, up to a fixed number.

use super::super::counts::{WindowCounts, WindowEntry};

/// A ring buffer of the most recent calls.
#[derive(Debug)]
pub(in super::super) struct CallWindow {
    entries: Box<[WindowEntry]>,
    /// The index that the next call is written to: the oldest call, once the buffer is full.
    next: usize,
    counts: WindowCounts,
}

impl CallWindow {
    pub fn new(calls: u32) -> Self {
        Self {
            entries: vec![WindowEntry::default(); calls as usize].into_boxed_slice(),
            next: 0,
            counts: WindowCounts::default(),
        }
    }

    pub fn add(&mut self, entry: WindowEntry) -> WindowCounts {
        let is_full = self.len() == self.entries.len();
        let oldest = std::mem::replace(&mut self.entries[self.next], entry);
        if is_full {
            self.counts.subtract(oldest.into());
        }
        self.counts.add(entry.into());
        self.next = match self.next + 1 < self.entries.len() {
            true => self.next + 1,
            false => 0,
        };
        self.counts
    }

    /// The calls in two parts, the older ones first.
    pub fn entries(&self) -> (&[WindowEntry], &[WindowEntry]) {
        let entries = &self.entries[..self.len()];
        let (newer, older) = entries.split_at(self.next.min(entries.len()));
        (older, newer)
    }

    pub fn counts(&self) -> WindowCounts {
        self.counts
    }

    fn len(&self) -> usize {
        self.counts.calls as usize
    }
}
