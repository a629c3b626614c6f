//! The bulkhead: so many calls at once, so many more in line, and the rest is turned away on the spot.
//!
//! A service that gets more than it can do slows down for everybody; one that works on a bounded number of calls does
//! those well. Who finds all places taken waits in a queue that is bounded in length *and* in time. The queue is in
//! order of priority, and within one priority in order of arrival. When it is full, a call that matters more takes
//! the place of the youngest of those that matter least. Browsers may thus starve while payers fill the house, but
//! never for longer than the bounded wait: then they are told.
//!
//! A queue absorbs a burst; under a lasting overload it would only make everybody late. So once somebody had to be
//! refused, a few newcomers wait for a few milliseconds instead, and the rest is refused on the spot, until nobody is
//! refused any more ([`wait_queue`]). This is the idea of CoDel with a short queue under load
//! (<https://queue.acm.org/detail.cfm?id=2839461>), begun by a full queue instead of an old one: a crowd that fits in is
//! served to the last.
//!
//! Turning away costs one short lock, so that an overloaded service keeps its time for the calls it let in; and it can
//! be asked for before anything was done for a call ([`Bulkhead::try_reject`]).

mod wait_queue;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::Priority;
use crate::deadline::Deadline;
use crate::settings::{InvalidSetting, check_duration, check_range};
use wait_queue::{BulkheadAdmission, MIN_OVERLOAD_WAIT, QueuedCall, WaitQueue};

/// The places of one service. Clones are the same places.
#[derive(Clone, Debug)]
pub struct Bulkhead(Arc<Shared>);

/// What may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadSettings {
    /// Calls that run at the same time.
    pub concurrency: usize,
    /// Calls that wait for one of them to end.
    pub queue_capacity: usize,
    /// The longest that one of them waits.
    pub queue_timeout: Duration,
    /// Levels of priority. A call with a higher [`Priority`] counts as one of the highest level.
    pub priority_levels: usize,
}

/// A place, given back when dropped.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once admits nothing"]
pub struct BulkheadPermit {
    /// Nothing once the place was passed on.
    shared: Option<Arc<Shared>>,
}

/// No place, and no place in the queue, or not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{reason} ({running} calls run)")]
pub struct BulkheadRejection {
    /// What was lacking.
    pub reason: RejectionReason,
    /// How many calls were running.
    pub running: usize,
    /// When it makes sense to try again: by then everybody who waits now will have had a place or been refused.
    pub retry_after: Duration,
}

/// Why a call got no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum RejectionReason {
    /// As many calls wait as may.
    #[error("the queue is full")]
    QueueFull,
    /// It waited as long as a call may.
    #[error("no place became free in time")]
    QueueTimeout,
    /// It waited, until a call came that matters more.
    #[error("a call that matters more took its place in the queue")]
    Displaced,
}

/// Who is where at one moment, and what became of everybody before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkheadSnapshot {
    /// The places there are.
    pub concurrency: usize,
    /// Calls that run.
    pub running: usize,
    /// Calls that wait.
    pub waiting: usize,
}

#[derive(Debug)]
struct Shared {
    settings: BulkheadSettings,
    wait_queue: Mutex<WaitQueue>,
}

// === impl Bulkhead ===

impl Bulkhead {
    /// Places as configured, all of them free.
    ///
    /// # Errors
    /// When a setting is out of its bounds.
    pub fn new(settings: BulkheadSettings) -> Result<Self, InvalidSetting> {
        settings.check()?;
        let wait_queue = WaitQueue::new(
            settings.concurrency,
            settings.queue_capacity,
            settings.priority_levels,
        );
        Ok(Self(Arc::new(Shared {
            settings,
            wait_queue: Mutex::new(wait_queue),
        })))
    }

    /// Waits for a place, until the deadline or the queue timeout, whichever is earlier. Dropping this future leaves
    /// the queue.
    ///
    /// # Errors
    /// [`BulkheadRejection`] at once when the queue is full, and later when no place became free in time.
    pub async fn acquire(
        &self,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<BulkheadPermit, BulkheadRejection> {
        let (ticket, place) = match self.0.wait_queue.lock().enter(priority) {
            BulkheadAdmission::Admitted => {
                return Ok(BulkheadPermit {
                    shared: Some(self.0.clone()),
                });
            }
            BulkheadAdmission::Rejected { running } => {
                return Err(self.0.refused(RejectionReason::QueueFull, running));
            }
            BulkheadAdmission::Queued { ticket, place } => (ticket, place),
        };
        let queued = WaitGuard {
            shared: &self.0,
            ticket,
        };
        let wait = self.0.settings.queue_timeout;
        let timeout = deadline.remaining().min(ticket.timeout).min(wait);
        let is_overload = timeout >= ticket.timeout.min(wait / 4).min(MIN_OVERLOAD_WAIT);
        match tokio::time::timeout(timeout, place).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(queued.refused(RejectionReason::Displaced)),
            Err(_) if is_overload => Err(queued.refused(RejectionReason::QueueTimeout)),
            Err(_) => Err(queued.gave_up()),
        }
    }

    /// Refuses a call now that [`Self::acquire`] would refuse without waiting: for who wants to know before he prepares
    /// one. A call that is not refused has no place yet.
    pub fn try_reject(&self, priority: Priority) -> Option<BulkheadRejection> {
        let running = self.0.wait_queue.lock().try_reject(priority)?;
        Some(self.0.refused(RejectionReason::QueueFull, running))
    }

    /// Changes how many calls may run, for instance to what an adaptive limit has found out. Calls that run beyond
    /// a smaller number are left in peace; their places are not filled again.
    pub fn resize(&self, concurrency: usize) {
        let admitted = self.0.wait_queue.lock().resize(concurrency.max(1));
        for place in admitted {
            // Whoever has left meanwhile drops the permit, which passes it on.
            drop(place.send(BulkheadPermit {
                shared: Some(self.0.clone()),
            }));
        }
    }

    /// Who is where.
    pub fn snapshot(&self) -> BulkheadSnapshot {
        self.0.wait_queue.lock().snapshot()
    }
}

// === impl Shared ===

impl Shared {
    fn refused(&self, reason: RejectionReason, running: usize) -> BulkheadRejection {
        BulkheadRejection {
            reason,
            running,
            retry_after: self.settings.queue_timeout,
        }
    }
}

/// A call in the queue, which leaves it when dropped.
struct WaitGuard<'a> {
    shared: &'a Arc<Shared>,
    ticket: QueuedCall,
}

impl WaitGuard<'_> {
    fn refused(&self, reason: RejectionReason) -> BulkheadRejection {
        let mut wait_queue = self.shared.wait_queue.lock();
        let running = wait_queue.record_overload(self.ticket.level);
        self.shared.refused(reason, running)
    }

    /// He had hardly any time: that he got no place in it is not the fault of the others.
    fn gave_up(&self) -> BulkheadRejection {
        let running = self.shared.wait_queue.lock().running();
        self.shared.refused(RejectionReason::QueueTimeout, running)
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.shared.wait_queue.lock().remove(self.ticket);
    }
}

// === impl Permit ===

impl Drop for BulkheadPermit {
    /// Gives the place to the first in line who still wants it.
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        loop {
            let Some(next) = shared.wait_queue.lock().leave() else {
                return;
            };
            match next.send(BulkheadPermit {
                shared: Some(shared.clone()),
            }) {
                Ok(()) => return,
                // He gave up in this very moment. His permit must not drop as one, or this would recurse.
                Err(mut permit) => permit.shared = None,
            }
        }
    }
}

/// How a permit reaches one who waits for it.
type PermitSender = oneshot::Sender<BulkheadPermit>;

// === impl Settings ===

impl Default for BulkheadSettings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            queue_capacity: 256,
            queue_timeout: Duration::from_secs(1),
            priority_levels: 3,
        }
    }
}

impl BulkheadSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        check_range("concurrency", self.concurrency, 1..=100_000)?;
        check_range("queue_capacity", self.queue_capacity, 0..=1_000_000)?;
        check_duration("queue_timeout", self.queue_timeout)?;
        check_range(
            "priority_levels",
            self.priority_levels,
            1..=Priority::MAX_LEVELS,
        )
    }
}

#[cfg(test)]
mod tests;
