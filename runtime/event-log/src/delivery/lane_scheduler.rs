//! Entries that were taken, sorted into lanes: which may run now, which must wait.
//!
//! No clock and no log here, only the order of things. A lane runs its first entry and nothing
//! else; the others queue behind it. Of a lane that waits, or that is long, only the places are
//! kept and not the events, so that failing lanes do not use up the room of the others.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::{Delivery, Position};

/// How many entries of one lane are kept with their events, while it does not wait.
const MAX_LOADED_PER_LANE: usize = 16;

/// How many entries may be known by their place only; beyond that nothing more is taken.
const MAX_QUEUED: usize = 100_000;

/// An entry and how often it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueuedEvent {
    pub lane: Arc<str>,
    pub position: Position,
    pub body: EventBody,
    /// Recorded failures.
    pub attempts: u32,
    /// Times in a row that it could not be tried at all.
    pub rejections: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EventBody {
    Loaded(Bytes),
    /// To be read again from the log.
    InLog,
    /// The entry has no event.
    Missing,
}

/// The lanes of one subscription.
#[derive(Debug)]
pub(super) struct LaneScheduler {
    lanes: HashMap<Arc<str>, Lane>,
    ready: VecDeque<Arc<str>>,
    waiting: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
    /// Everything that was taken and is not known to be acknowledged.
    held: HashSet<Position>,
    /// How many of them are queued.
    queued: usize,
    /// How many of those are kept with their event.
    loaded: usize,
    /// How many entries are wanted here at most: kept, or waiting to be acknowledged.
    window: usize,
}

/// The entries of one lane; the first is the one that runs or waits.
#[derive(Debug, Default)]
struct Lane {
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

// === impl LaneScheduler ===

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

    /// How many more entries are welcome.
    pub fn free_capacity(&self) -> usize {
        if self.queued >= MAX_QUEUED {
            return 0;
        }
        let unacknowledged = self.held.len() - self.queued;
        self.window.saturating_sub(self.loaded + unacknowledged)
    }

    /// Whether nothing is left that could run now.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Queues an entry, unless it is here already.
    pub fn add(&mut self, delivery: Delivery, now: Instant) {
        if !self.held.insert(delivery.position.clone()) {
            return;
        }
        let name = delivery.lane.clone();
        let due = (!delivery.due_in.is_zero()).then(|| now + delivery.due_in);
        let lane = self.lanes.entry(name.clone()).or_default();
        let body = match delivery.event {
            None => EventBody::Missing,
            Some(_)
                if lane.state == LaneState::Waiting || lane.queue.len() >= MAX_LOADED_PER_LANE =>
            {
                EventBody::InLog
            }
            Some(event) => EventBody::Loaded(event),
        };
        self.queued += 1;
        self.loaded += usize::from(body.is_loaded());
        let queued = QueuedEvent {
            lane: delivery.lane,
            position: delivery.position,
            body,
            attempts: delivery.attempts,
            rejections: 0,
        };
        lane.queue.push_back((queued, due));
        if lane.queue.len() == 1 {
            self.schedule(name);
        }
    }

    /// The next entry that may run at this time. Its lane is busy until [`LaneScheduler::finish`] or
    /// [`LaneScheduler::retry`].
    pub fn next(&mut self, now: Instant) -> Option<QueuedEvent> {
        while let Some(Reverse((due, _))) = self.waiting.peek()
            && *due <= now
            && let Some(Reverse((_, name))) = self.waiting.pop()
        {
            self.ready.push_back(name);
        }
        let name = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&name)?;
        lane.state = LaneState::Running;
        lane.queue.front().map(|(queued, _)| queued.clone())
    }

    /// When an entry that has to wait may run.
    pub fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse((due, _))| *due)
    }

    /// The running entry of the lane is done with; the one behind it may run. Its position stays
    /// held until [`LaneScheduler::release`].
    pub fn finish(&mut self, name: &Arc<str>) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        if let Some((queued, _)) = lane.queue.pop_front() {
            self.queued -= 1;
            self.loaded -= usize::from(queued.body.is_loaded());
        }
        if lane.queue.is_empty() {
            self.lanes.remove(name);
        } else {
            self.schedule(name.clone());
        }
    }

    /// The running entry of the lane has to be tried again, not before `due`.
    pub fn retry(&mut self, name: &Arc<str>, attempts: u32, rejections: u32, due: Instant) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        if let Some((queued, waits)) = lane.queue.front_mut() {
            queued.attempts = attempts;
            queued.rejections = rejections;
            *waits = Some(due);
        }
        self.schedule(name.clone());
    }

    /// These are acknowledged: should they ever be taken again, they are new.
    pub fn release(&mut self, positions: &[Position]) {
        for position in positions {
            self.held.remove(position);
        }
    }

    /// Forgets everything that does not run: another consumer has it now.
    pub fn drop_queued(&mut self) {
        self.ready.clear();
        self.waiting.clear();
        let mut gone = Vec::new();
        self.lanes.retain(|_, lane| {
            let runs = lane.state == LaneState::Running;
            gone.extend(
                lane.queue
                    .drain(usize::from(runs)..)
                    .map(|(queued, _)| queued),
            );
            runs
        });
        self.queued -= gone.len();
        for queued in gone {
            self.held.remove(&queued.position);
            self.loaded -= usize::from(queued.body.is_loaded());
        }
    }

    /// Lets the first entry of the lane run, or wait until it is due.
    fn schedule(&mut self, name: Arc<str>) {
        let Some(lane) = self.lanes.get_mut(&name) else {
            return;
        };
        match lane.queue.front() {
            Some((_, Some(due))) => {
                self.waiting.push(Reverse((*due, name)));
                lane.state = LaneState::Waiting;
                for (queued, _) in &mut lane.queue {
                    if queued.body.is_loaded() {
                        queued.body = EventBody::InLog;
                        self.loaded -= 1;
                    }
                }
            }
            Some((_, None)) => {
                self.ready.push_back(name);
                lane.state = LaneState::Ready;
            }
            None => {}
        }
    }
}

impl EventBody {
    fn is_loaded(&self) -> bool {
        matches!(self, Self::Loaded(_))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::EntryId;

    fn delivery(lane: &str, number: u64) -> Delivery {
        Delivery {
            position: Position {
                stream: Arc::from("socar.car"),
                id: EntryId::new(number, 0),
            },
            lane: Arc::from(lane),
            attempts: 0,
            due_in: Duration::ZERO,
            event: Some(Bytes::from(number.to_string())),
        }
    }

    fn lanes(entries: &[(&str, u64)]) -> LaneScheduler {
        let mut lanes = LaneScheduler::new(100);
        for (lane, number) in entries {
            lanes.add(delivery(lane, *number), Instant::now());
        }
        lanes
    }

    fn numbers(lanes: &mut LaneScheduler, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| lanes.next(now))
            .map(|queued| queued.position.id.milliseconds)
            .collect()
    }

    #[tokio::test]
    async fn a_lane_runs_one_entry_at_a_time_and_in_order() {
        let now = Instant::now();
        let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("a", 4)]);
        assert_eq!(numbers(&mut lanes, now), [1, 3]);
        lanes.finish(&"a".into());
        assert_eq!(numbers(&mut lanes, now), [2]);
        lanes.finish(&"b".into());
        lanes.finish(&"a".into());
        assert_eq!(numbers(&mut lanes, now), [4]);
    }

    #[tokio::test]
    async fn a_failing_lane_holds_back_only_itself() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("b", 4)]);
        assert_eq!(numbers(&mut lanes, now), [1, 3]);
        lanes.retry(&"a".into(), 1, 0, later);
        lanes.finish(&"b".into());
        assert_eq!(lanes.next_due(), Some(later));
        assert_eq!(numbers(&mut lanes, now), [4]);
        lanes.add(delivery("a", 5), now);
        assert_eq!(
            lanes.free_capacity(),
            98,
            "the event that runs, and the one to acknowledge"
        );
        let again = lanes.next(later).unwrap();
        assert_eq!((again.position.id.milliseconds, again.attempts), (1, 1));
        assert_eq!(again.body, EventBody::InLog);
        assert_eq!(lanes.next(later), None);
    }

    #[tokio::test]
    async fn what_is_held_is_not_queued_twice_until_released() {
        let now = Instant::now();
        let mut lanes = lanes(&[("a", 1), ("a", 1)]);
        assert_eq!(numbers(&mut lanes, now), [1]);
        lanes.finish(&"a".into());
        lanes.add(delivery("a", 1), now);
        assert_eq!(lanes.next(now), None);
        lanes.release(&[delivery("a", 1).position]);
        lanes.add(delivery("a", 1), now);
        assert_eq!(numbers(&mut lanes, now), [1]);
    }

    #[tokio::test]
    async fn a_long_lane_leaves_room_for_the_others() {
        let mut lanes = LaneScheduler::new(100);
        for number in 0..1000 {
            lanes.add(delivery("stuck", number), Instant::now());
        }
        assert_eq!(lanes.free_capacity(), 100 - MAX_LOADED_PER_LANE);
        let now = Instant::now();
        for number in 0..1000 {
            let queued = lanes.next(now).unwrap();
            assert_eq!(queued.position.id.milliseconds, number);
            assert_eq!(
                queued.body == EventBody::InLog,
                number >= MAX_LOADED_PER_LANE as u64
            );
            lanes.finish(&"stuck".into());
            lanes.release(&[queued.position]);
        }
        assert_eq!(lanes.free_capacity(), 100);
    }

    #[tokio::test]
    async fn an_eviction_leaves_only_what_runs() {
        let now = Instant::now();
        let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("b", 4), ("c", 5)]);
        assert_eq!(lanes.next(now).unwrap().position.id.milliseconds, 1);
        assert_eq!(lanes.next(now).unwrap().position.id.milliseconds, 3);
        lanes.retry(&"b".into(), 1, 0, now + Duration::from_secs(1));
        lanes.drop_queued();
        assert_eq!(lanes.free_capacity(), 99, "the event that runs");
        lanes.finish(&"a".into());
        assert_eq!(lanes.next(now + Duration::from_secs(2)), None);
        lanes.add(delivery("b", 3), now);
        assert_eq!(numbers(&mut lanes, now), [3]);
    }
}
