//! The running and the waiting calls of a bulkhead, behind one short lock.
//!
//! While a call waits, all permits are in use, and a released permit is handed to a waiting call directly. A permit is
//! moved, never copied: [`WaitQueue::release`] and [`WaitQueue::resize`] already count the call as running when they
//! return the channel for its permit.
//!
//! There are two queues, both ordered by priority and arrival:
//!
//! - The *normal* queue holds up to the configured number of calls, each for up to the queue timeout.
//! - The *overload* queue is used after a rejection, by calls of the same or a lower priority, until the overload has
//!   ended. Within one priority it is served before the normal queue. It holds one call for every four permits, each for
//!   at most [`OVERLOAD_QUEUE_WAIT`], or for the expected time until the next release if that is longer. These few calls
//!   keep all permits in use. All other calls are rejected immediately, without a timer.
//!
//! When an overload is sustained, the calls in the normal queue have waited too long to be answered in time, and are
//! displaced.

use std::time::Duration;

use tokio::sync::oneshot;

use super::overload::{OverloadDetector, OverloadDuration};
use super::priority_queue::PriorityQueue;
use super::release_interval::ReleaseInterval;
use super::settings::BulkheadSettings;
use crate::priority::Priority;

/// The maximum wait during an overload: short enough for a user not to notice it.
const OVERLOAD_QUEUE_WAIT: Duration = Duration::from_millis(5);

/// The number of permits for which the overload queue holds one call.
const PERMITS_PER_OVERLOAD_WAITER: usize = 4;

/// Counts the running calls and queues the waiting ones; `P` is the permit that a waiting call receives.
#[derive(Debug)]
pub(super) struct WaitQueue<P> {
    concurrency: usize,
    /// Maximum number of calls in each queue.
    capacity: usize,
    running: usize,
    normal: PriorityQueue<P>,
    overload: PriorityQueue<P>,
    overload_detector: OverloadDetector,
    release_interval: ReleaseInterval,
    highest_level: usize,
}

/// The decision about an arriving call.
pub(super) enum Admission<P> {
    /// The call runs.
    Admitted,
    /// The call waits for a permit on this channel.
    Queued {
        call: QueuedCall,
        permit: oneshot::Receiver<P>,
    },
    /// The call finds neither a free permit nor room in the queue.
    Rejected { running: usize },
}

/// The position of a waiting call.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedCall {
    pub level: usize,
    /// Maximum wait in its queue; unlimited in the normal one.
    pub timeout: Duration,
    queue: QueueKind,
    number: u64,
}

#[derive(Clone, Copy, Debug)]
enum QueueKind {
    Normal,
    Overload,
}

impl<P> WaitQueue<P> {
    pub fn new(settings: BulkheadSettings) -> Self {
        let levels = settings.priority_levels;
        Self {
            concurrency: settings.concurrency,
            capacity: settings.queue_capacity,
            running: 0,
            normal: PriorityQueue::new(levels),
            overload: PriorityQueue::new(levels),
            overload_detector: OverloadDetector::new(levels),
            release_interval: ReleaseInterval::default(),
            highest_level: levels - 1,
        }
    }

    /// Admits, queues or rejects an arriving call.
    pub fn admit(&mut self, priority: Priority) -> Admission<P> {
        if self.running < self.concurrency {
            self.run();
            return Admission::Admitted;
        }
        match self.try_reject(priority) {
            Some(running) => Admission::Rejected { running },
            None => self.enqueue(self.level(priority)),
        }
    }

    /// Rejects an arriving call if it would find neither a free permit nor room in the queue. Returns the number of
    /// running calls.
    pub fn try_reject(&mut self, priority: Priority) -> Option<usize> {
        if self.running < self.concurrency {
            return None;
        }
        let level = self.level(priority);
        let kind = self.queue_kind(level);
        let is_full = self.queue(kind).len() >= self.capacity(kind);
        let is_rejected = is_full && !self.queue(kind).has_below(level);
        is_rejected.then(|| self.record_overload(level))
    }

    /// A call ended. Returns the channel of the call that receives its permit, if one waits.
    pub fn release(&mut self) -> Option<oneshot::Sender<P>> {
        if self.running >= self.concurrency {
            self.release_interval.record();
        }
        self.running -= 1;
        self.admit_next()
    }

    /// Changes the number of permits. Returns the channels of the calls that receive one.
    pub fn resize(&mut self, concurrency: usize) -> Vec<oneshot::Sender<P>> {
        self.concurrency = concurrency;
        self.release_interval.restart();
        std::iter::from_fn(|| self.admit_next()).collect()
    }

    /// Removes a call from its queue, if it still waits.
    pub fn remove(&mut self, call: QueuedCall) {
        self.queue_mut(call.queue).remove(call.level, call.number);
    }

    /// Records a rejection that was caused by overload. Returns the number of running calls.
    pub fn record_overload(&mut self, level: usize) -> usize {
        if self.overload_detector.record(level) == OverloadDuration::Sustained {
            self.normal.clear_up_to(level);
        }
        self.running
    }

    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    pub fn running(&self) -> usize {
        self.running
    }

    pub fn waiting(&self) -> usize {
        self.normal.len() + self.overload.len()
    }

    fn run(&mut self) {
        self.running += 1;
        if self.running >= self.concurrency {
            self.release_interval.start();
        }
    }

    fn enqueue(&mut self, level: usize) -> Admission<P> {
        let kind = self.queue_kind(level);
        let capacity = self.capacity(kind);
        let queue = self.queue_mut(kind);
        if queue.len() >= capacity {
            queue.displace_below(level);
        }
        let (sender, permit) = oneshot::channel();
        let number = queue.push(level, sender);
        let call = QueuedCall {
            level,
            timeout: self.timeout(kind),
            queue: kind,
            number,
        };
        Admission::Queued { call, permit }
    }

    fn admit_next(&mut self) -> Option<oneshot::Sender<P>> {
        if self.running >= self.concurrency {
            return None;
        }
        let mut levels = (0..=self.highest_level).rev();
        let next =
            levels.find_map(|level| self.overload.pop(level).or_else(|| self.normal.pop(level)))?;
        self.running += 1;
        Some(next)
    }

    /// The level of a priority: at most the highest one that is configured.
    fn level(&self, priority: Priority) -> usize {
        priority.level().min(self.highest_level)
    }

    /// The queue that an arriving call of this level uses.
    fn queue_kind(&self, level: usize) -> QueueKind {
        match self.overload_detector.is_overloaded(level) {
            true => QueueKind::Overload,
            false => QueueKind::Normal,
        }
    }

    fn capacity(&self, kind: QueueKind) -> usize {
        let for_overload = self.concurrency.div_ceil(PERMITS_PER_OVERLOAD_WAITER);
        match kind {
            QueueKind::Normal => self.capacity,
            QueueKind::Overload => self.capacity.min(for_overload),
        }
    }

    fn timeout(&self, kind: QueueKind) -> Duration {
        match kind {
            QueueKind::Normal => Duration::MAX,
            QueueKind::Overload => self.release_interval.expected().max(OVERLOAD_QUEUE_WAIT),
        }
    }

    fn queue(&self, kind: QueueKind) -> &PriorityQueue<P> {
        match kind {
            QueueKind::Normal => &self.normal,
            QueueKind::Overload => &self.overload,
        }
    }

    fn queue_mut(&mut self, kind: QueueKind) -> &mut PriorityQueue<P> {
        match kind {
            QueueKind::Normal => &mut self.normal,
            QueueKind::Overload => &mut self.overload,
        }
    }
}
