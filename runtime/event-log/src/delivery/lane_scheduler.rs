//! The order of the claimed entries: which event may run now, and which has to wait.
//!
//! Each lane runs its first event only; the others queue behind it. The scheduler keeps the events of a lane that is
//! long, or that waits for a retry, in the log and only their positions in memory, so that failing lanes do not use up
//! the capacity of the others. It reads no clock and calls no log.

mod lane;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use self::lane::Lane;
use crate::{Delivery, Position};

pub(super) use self::lane::{EventBody, QueuedEvent};

/// The largest number of events of one lane that are kept in memory.
const MAX_LOADED_PER_LANE: usize = 16;

/// The largest number of queued positions; beyond it nothing is claimed.
const MAX_QUEUED: usize = 100_000;

/// The lanes of one subscription.
#[derive(Debug)]
pub(super) struct LaneScheduler {
    lanes: HashMap<Arc<str>, Lane>,
    ready: VecDeque<Arc<str>>,
    waiting: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
    /// The entries that were claimed and are not released.
    held: HashSet<Position>,
    /// The number of held entries that are queued.
    queued: usize,
    /// The number of queued entries whose event is in memory.
    loaded: usize,
    /// The number of entries that are wanted at most: in memory, or about to be acknowledged.
    window: usize,
}

impl LaneScheduler {
    pub fn new(window: usize) -> Self {
        Self {
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            waiting: BinaryHeap::new(),
            held: HashSet::new(),
            queued: 0,
            loaded: 0,
            window,
        }
    }

    /// The number of entries that may be claimed.
    pub fn free_capacity(&self) -> usize {
        if self.queued >= MAX_QUEUED {
            return 0;
        }
        let unacknowledged = self.held.len() - self.queued;
        self.window.saturating_sub(self.loaded + unacknowledged)
    }

    /// Whether no queued event may run now.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Queues an entry. An entry that is held already is ignored.
    pub fn add(&mut self, delivery: Delivery, now: Instant) {
        if !self.held.insert(delivery.position.clone()) {
            return;
        }
        let name = delivery.lane.clone();
        let due = (!delivery.due_in.is_zero()).then(|| now + delivery.due_in);
        let lane = self.lanes.entry(name.clone()).or_default();
        let body = match delivery.event {
            None => EventBody::Missing,
            Some(_) if lane.keeps_in_log(MAX_LOADED_PER_LANE) => EventBody::InLog,
            Some(event) => EventBody::Loaded(event),
        };
        self.queued += 1;
        self.loaded += usize::from(body.is_loaded());
        let event = QueuedEvent {
            lane: delivery.lane,
            position: delivery.position,
            body,
            attempts: delivery.attempts,
            rejections: 0,
        };
        if lane.push(event, due) {
            self.schedule(name);
        }
    }

    /// The next event that may run at this time. Its lane is busy until [`LaneScheduler::finish`] or
    /// [`LaneScheduler::retry`].
    pub fn next(&mut self, now: Instant) -> Option<QueuedEvent> {
        while let Some(Reverse((due, _))) = self.waiting.peek()
            && *due <= now
            && let Some(Reverse((_, name))) = self.waiting.pop()
        {
            self.ready.push_back(name);
        }
        let name = self.ready.pop_front()?;
        self.lanes.get_mut(&name)?.run_first()
    }

    /// The time at which the first waiting lane may run.
    pub fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse((due, _))| *due)
    }

    /// Removes the running event of the lane, so that the next one may run. Its position stays held until
    /// [`LaneScheduler::release`].
    pub fn finish(&mut self, name: &Arc<str>) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        if let Some(event) = lane.pop() {
            self.queued -= 1;
            self.loaded -= usize::from(event.body.is_loaded());
        }
        if lane.is_empty() {
            self.lanes.remove(name);
        } else {
            self.schedule(name.clone());
        }
    }

    /// Makes the running event of the lane wait until `due`.
    pub fn retry(&mut self, name: &Arc<str>, attempts: u32, rejections: u32, due: Instant) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        lane.retry_first(attempts, rejections, due);
        self.schedule(name.clone());
    }

    /// Releases entries that are no longer pending: they may be added again.
    pub fn release(&mut self, positions: &[Position]) {
        for position in positions {
            self.held.remove(position);
        }
    }

    /// Drops all events that do not run, because another consumer has taken them over.
    pub fn drop_queued(&mut self) {
        self.ready.clear();
        self.waiting.clear();
        let mut dropped = Vec::new();
        self.lanes.retain(|_, lane| {
            dropped.extend(lane.drop_queued());
            lane.is_running()
        });
        self.queued -= dropped.len();
        for event in dropped {
            self.held.remove(&event.position);
            self.loaded -= usize::from(event.body.is_loaded());
        }
    }

    /// Lets the first event of the lane run, or wait until it is due.
    fn schedule(&mut self, name: Arc<str>) {
        let Some(lane) = self.lanes.get_mut(&name) else {
            return;
        };
        match lane.first_due() {
            Some(due) => {
                self.loaded -= lane.wait();
                self.waiting.push(Reverse((due, name)));
            }
            None => {
                lane.make_ready();
                self.ready.push_back(name);
            }
        }
    }
}
