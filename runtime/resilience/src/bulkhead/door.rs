//! Who runs and who waits, behind one short lock.
//!
//! Nobody who waits is overtaken: as long as anybody does, every place is taken, and one that becomes free is handed
//! to the first in line directly instead of being put up for all. A place is moved, never copied: [`Door::leave`]
//! and [`Door::resize`] count it as running already when they hand out the sender for it.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::{Permit, Place, Snapshot};
use crate::Priority;

#[derive(Debug)]
pub(super) struct Door {
    concurrency: usize,
    /// The most calls that may wait.
    queue: usize,
    running: usize,
    /// By priority, the least first; within one, in order of arrival.
    waiting: [VecDeque<Waiter>; Priority::ALL.len()],
    next_ticket: u64,
    admitted: u64,
    refused: [u64; Priority::ALL.len()],
}

/// What becomes of a call at the door.
pub(super) enum Entry {
    Admitted,
    Queued {
        ticket: u64,
        place: oneshot::Receiver<Permit>,
    },
    Refused {
        running: usize,
    },
}

#[derive(Debug)]
struct Waiter {
    /// Grows from one to the next, so that a queue is sorted by it.
    ticket: u64,
    /// Dropped unused, it tells the waiter that he was displaced.
    place: Place,
}

impl Door {
    pub fn new(concurrency: usize, queue: usize) -> Self {
        Self {
            concurrency,
            queue,
            running: 0,
            waiting: Default::default(),
            next_ticket: 0,
            admitted: 0,
            refused: Default::default(),
        }
    }

    pub fn enter(&mut self, priority: Priority) -> Entry {
        if self.running < self.concurrency {
            self.running += 1;
            self.admitted += 1;
            return Entry::Admitted;
        }
        if self.count_waiting() >= self.queue && !self.displace_less_than(priority) {
            self.note_refusal(priority);
            return Entry::Refused {
                running: self.running,
            };
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let (sender, place) = oneshot::channel();
        self.waiting[priority.index()].push_back(Waiter {
            ticket,
            place: sender,
        });
        Entry::Queued { ticket, place }
    }

    /// Sends away the youngest of those who matter least, if they matter less than this.
    fn displace_less_than(&mut self, priority: Priority) -> bool {
        let lesser = &mut self.waiting[..priority.index()];
        lesser.iter_mut().any(|queue| queue.pop_back().is_some())
    }

    /// A call ended: to whom its place goes, if anybody waits and it is still there.
    pub fn leave(&mut self) -> Option<Place> {
        self.running -= 1;
        self.admit_next()
    }

    /// There are more places now, or fewer: who gets one.
    pub fn resize(&mut self, concurrency: usize) -> Vec<Place> {
        self.concurrency = concurrency;
        std::iter::from_fn(|| self.admit_next()).collect()
    }

    fn admit_next(&mut self) -> Option<Place> {
        if self.running >= self.concurrency {
            return None;
        }
        let next = self
            .waiting
            .iter_mut()
            .rev()
            .find_map(VecDeque::pop_front)?;
        self.running += 1;
        self.admitted += 1;
        Some(next.place)
    }

    /// One who waited does not any more, for whatever reason.
    pub fn leave_queue(&mut self, priority: Priority, ticket: u64) {
        let queue = &mut self.waiting[priority.index()];
        if let Ok(place) = queue.binary_search_by_key(&ticket, |waiter| waiter.ticket) {
            queue.remove(place);
        }
    }

    /// Counts a refusal, and tells how many run.
    pub fn note_refusal(&mut self, priority: Priority) -> usize {
        self.refused[priority.index()] += 1;
        self.running
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            concurrency: self.concurrency,
            running: self.running,
            waiting: self.count_waiting(),
            admitted: self.admitted,
            refused: self.refused,
        }
    }

    fn count_waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }
}
