//! Who runs and who waits, behind one short lock.
//!
//! As long as anybody waits, every place is taken, and one that becomes free is handed over directly instead of being
//! put up for all. A place is moved, never copied: [`WaitQueue::leave`] and [`WaitQueue::resize`] count it as running already when
//! they hand out the sender for it.
//!
//! There are two lines, both first come, first served. The *patient* one is the only one in calm times. Once somebody was
//! refused, there is an overload of those who matter no more than he, and for [`OVERLOAD_COOLDOWN`] after the last refusal newcomers
//! of their kind stand in the *brief* line, which goes first: it has room for a quarter as many as there are places, and
//! nobody stays for longer than [`OVERLOAD_QUEUE_WAIT`], or than it takes until a place becomes free if that is longer. Those few see to
//! it that no place stays empty; for everybody else the answer is known on the spot ([`WaitQueue::try_reject`]), and costs
//! neither a timer nor a second look. If it goes on for [`SUSTAINED_OVERLOAD`], those who came before have waited for too long to be
//! answered in time, and are sent away.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{BulkheadPermit, BulkheadSnapshot, PermitSender};
use crate::Priority;

/// How long a newcomer waits in an overload: about as long as he would notice.
const OVERLOAD_QUEUE_WAIT: Duration = Duration::from_millis(5);

/// Whoever got no place in this time, or in a quarter of what anybody waits at most, was refused by an overload, and not
/// by his own deadline.
pub(super) const MIN_OVERLOAD_WAIT: Duration = Duration::from_millis(100);

/// How long after the last refusal an overload is over.
const OVERLOAD_COOLDOWN: Duration = Duration::from_secs(2);

/// From when on an overload is more than a crowd that came at once.
const SUSTAINED_OVERLOAD: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct WaitQueue {
    concurrency: usize,
    /// The most calls that may wait in each line.
    queue: usize,
    running: usize,
    normal: PriorityQueues,
    overload_queue: PriorityQueues,
    /// By priority of who was refused.
    overloads: Box<[Option<Overload>]>,
    release_interval: ReleaseInterval,
    next_ticket: u64,
}

/// How soon a place becomes free while all are taken.
#[derive(Debug, Default)]
struct ReleaseInterval {
    /// When the last place was taken, or given back and taken again.
    since: Option<Instant>,
    /// The time from there to the next departure, on a moving average.
    average: Duration,
}

/// What becomes of a call at the door.
pub(super) enum BulkheadAdmission {
    Admitted,
    Queued {
        ticket: QueuedCall,
        place: oneshot::Receiver<BulkheadPermit>,
    },
    Rejected {
        running: usize,
    },
}

/// What a waiting call can be found by.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedCall {
    number: u64,
    pub level: usize,
    is_overload: bool,
    /// How long he waits in this line.
    pub timeout: Duration,
}

/// Somebody was refused not long ago.
#[derive(Clone, Copy, Debug)]
struct Overload {
    since: Instant,
    last: Instant,
}

/// By priority, the least first; within one, in order of arrival.
type PriorityQueues = Box<[VecDeque<Waiter>]>;

#[derive(Debug)]
struct Waiter {
    /// Grows from one to the next, so that a queue is sorted by it.
    ticket: u64,
    /// Dropped unused, it tells the waiter that he was displaced.
    place: PermitSender,
}

impl WaitQueue {
    pub fn new(concurrency: usize, queue: usize, levels: usize) -> Self {
        let queues = || (0..levels).map(|_| VecDeque::new()).collect();
        Self {
            concurrency,
            queue,
            running: 0,
            normal: queues(),
            overload_queue: queues(),
            overloads: vec![None; levels].into_boxed_slice(),
            release_interval: ReleaseInterval::default(),
            next_ticket: 0,
        }
    }

    pub fn enter(&mut self, priority: Priority) -> BulkheadAdmission {
        if self.running < self.concurrency {
            self.running += 1;
            if self.running >= self.concurrency {
                self.release_interval.start();
            }
            return BulkheadAdmission::Admitted;
        }
        if let Some(running) = self.try_reject(priority) {
            return BulkheadAdmission::Rejected { running };
        }
        let level = self.level(priority);
        let is_overload = self.is_overloaded(level);
        let room = self.room(is_overload);
        let lines = match is_overload {
            true => &mut self.overload_queue,
            false => &mut self.normal,
        };
        if count(lines) >= room {
            displace_below(lines, level);
        }
        let number = self.next_ticket;
        self.next_ticket += 1;
        let (sender, place) = oneshot::channel();
        lines[level].push_back(Waiter {
            ticket: number,
            place: sender,
        });
        let ticket = QueuedCall {
            number,
            level,
            is_overload,
            timeout: match is_overload {
                true => self.release_interval.expected().max(OVERLOAD_QUEUE_WAIT),
                false => Duration::MAX,
            },
        };
        BulkheadAdmission::Queued { ticket, place }
    }

    /// Refuses a newcomer who would get neither a place nor one in the line, and tells how many run.
    pub fn try_reject(&mut self, priority: Priority) -> Option<usize> {
        if self.running < self.concurrency {
            return None;
        }
        let level = self.level(priority);
        let is_overload = self.is_overloaded(level);
        let lines = match is_overload {
            true => &self.overload_queue,
            false => &self.normal,
        };
        let mut lesser = lines[..level].iter();
        let is_refused = count(lines) >= self.room(is_overload) && lesser.all(VecDeque::is_empty);
        is_refused.then(|| self.record_overload(level))
    }

    /// How many may stand in a line.
    fn room(&self, is_overload: bool) -> usize {
        match is_overload {
            true => self.queue.min(self.concurrency.div_ceil(4)),
            false => self.queue,
        }
    }

    fn is_overloaded(&self, level: usize) -> bool {
        let overloads = self.overloads[level..].iter().flatten();
        overloads
            .into_iter()
            .any(|it| it.last.elapsed() < OVERLOAD_COOLDOWN)
    }

    /// A call ended: to whom its place goes, if anybody waits and it is still there.
    pub fn leave(&mut self) -> Option<PermitSender> {
        if self.running >= self.concurrency {
            self.release_interval.record();
        }
        self.running -= 1;
        self.admit_next()
    }

    /// There are more places now, or fewer: who gets one.
    pub fn resize(&mut self, concurrency: usize) -> Vec<PermitSender> {
        self.concurrency = concurrency;
        self.release_interval.since = None;
        std::iter::from_fn(|| self.admit_next()).collect()
    }

    fn admit_next(&mut self) -> Option<PermitSender> {
        if self.running >= self.concurrency {
            return None;
        }
        let lines = self.overload_queue.iter_mut().zip(&mut self.normal).rev();
        let next = lines
            .filter_map(|(overload_queue, normal)| {
                overload_queue.pop_front().or_else(|| normal.pop_front())
            })
            .next()?;
        self.running += 1;
        Some(next.place)
    }

    /// One who waited does not any more, for whatever reason.
    pub fn remove(&mut self, ticket: QueuedCall) {
        let lines = match ticket.is_overload {
            true => &mut self.overload_queue,
            false => &mut self.normal,
        };
        let line = &mut lines[ticket.level];
        if let Ok(place) = line.binary_search_by_key(&ticket.number, |waiter| waiter.ticket) {
            line.remove(place);
        }
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running
    }

    /// The level of a priority, at most the highest that is configured.
    fn level(&self, priority: Priority) -> usize {
        priority.level().min(self.overloads.len() - 1)
    }

    /// Counts a refusal that shows an overload, and tells how many run.
    pub fn record_overload(&mut self, level: usize) -> usize {
        let now = Instant::now();
        let overload = &mut self.overloads[level];
        let begun = overload.filter(|it| now - it.last < SUSTAINED_OVERLOAD);
        let since = begun.map_or(now, |it| it.since);
        *overload = Some(Overload { since, last: now });
        if now - since >= SUSTAINED_OVERLOAD {
            // Whoever stands there finds his place dropped.
            let lines = &mut self.normal[..=level];
            lines.iter_mut().for_each(VecDeque::clear);
        }
        self.running
    }

    pub fn snapshot(&self) -> BulkheadSnapshot {
        BulkheadSnapshot {
            concurrency: self.concurrency,
            running: self.running,
            waiting: count(&self.normal) + count(&self.overload_queue),
        }
    }
}

// === impl Departures ===

impl ReleaseInterval {
    /// The last place is taken.
    fn start(&mut self) {
        self.since = Some(Instant::now());
    }

    /// One is given back.
    fn record(&mut self) {
        let now = Instant::now();
        if let Some(since) = self.since.replace(now) {
            self.average = self.average * 7 / 8 + (now - since) / 8;
        }
    }

    /// A little more than until the next.
    fn expected(&self) -> Duration {
        self.average * 5 / 4
    }
}

fn count(lines: &PriorityQueues) -> usize {
    lines.iter().map(VecDeque::len).sum()
}

/// Sends away the youngest of those who matter least, if they matter less than this.
fn displace_below(lines: &mut PriorityQueues, level: usize) {
    let mut lesser = lines[..level].iter_mut();
    // His place is dropped unused: so he hears of it.
    let _ = lesser.find_map(VecDeque::pop_back);
}
