//! One lane: a queue of events of which only the first may run.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::Position;

/// A claimed entry and its attempts so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::delivery) struct QueuedEvent {
    pub lane: Arc<str>,
    pub position: Position,
    pub body: EventBody,
    /// The number of recorded failures.
    pub attempts: u32,
    /// The number of rejections in a row.
    pub rejections: u32,
}

/// The event of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::delivery) enum EventBody {
    Loaded(Bytes),
    /// To be read from the log again.
    InLog,
    /// The entry has no event.
    Missing,
}

/// The queued events of one lane; the first one runs or waits.
#[derive(Debug, Default)]
pub(super) struct Lane {
    queue: VecDeque<(QueuedEvent, Option<Instant>)>,
    state: LaneState,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum LaneState {
    #[default]
    Ready,
    Waiting,
    Running,
}

impl Lane {
    /// Whether the next event is to stay in the log.
    pub fn keeps_in_log(&self, max_loaded: usize) -> bool {
        self.state == LaneState::Waiting || self.queue.len() >= max_loaded
    }

    pub fn is_running(&self) -> bool {
        self.state == LaneState::Running
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Queues an event, and returns whether it is the first one.
    pub fn push(&mut self, event: QueuedEvent, due: Option<Instant>) -> bool {
        self.queue.push_back((event, due));
        self.queue.len() == 1
    }

    /// Removes the first event.
    pub fn pop(&mut self) -> Option<QueuedEvent> {
        self.queue.pop_front().map(|(event, _)| event)
    }

    /// Marks the first event as running, and returns it.
    pub fn run_first(&mut self) -> Option<QueuedEvent> {
        self.state = LaneState::Running;
        self.queue.front().map(|(event, _)| event.clone())
    }

    /// The time for which the first event has to wait, if it has to.
    pub fn first_due(&self) -> Option<Instant> {
        self.queue.front().and_then(|(_, due)| *due)
    }

    pub fn retry_first(&mut self, attempts: u32, rejections: u32, due: Instant) {
        if let Some((event, waits)) = self.queue.front_mut() {
            event.attempts = attempts;
            event.rejections = rejections;
            *waits = Some(due);
        }
    }

    pub fn make_ready(&mut self) {
        self.state = LaneState::Ready;
    }

    /// Makes the lane wait, and removes its events from memory. Returns how many were in memory.
    pub fn wait(&mut self) -> usize {
        self.state = LaneState::Waiting;
        let mut unloaded = 0;
        for (event, _) in &mut self.queue {
            if event.body.is_loaded() {
                event.body = EventBody::InLog;
                unloaded += 1;
            }
        }
        unloaded
    }

    /// Removes all events that do not run.
    pub fn drop_queued(&mut self) -> impl Iterator<Item = QueuedEvent> {
        let running = usize::from(self.is_running());
        self.queue.drain(running..).map(|(event, _)| event)
    }
}

impl EventBody {
    pub fn is_loaded(&self) -> bool {
        matches!(self, Self::Loaded(_))
    }
}
