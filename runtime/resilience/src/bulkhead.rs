//! The bulkhead: a bounded number of calls runs, a bounded number waits, and all others are rejected immediately.
//!
//! A service that runs more calls than it can handle becomes slow for all of them. A call that finds no free permit
//! waits in a queue that is bounded in length *and* in time. The queue is ordered by priority, and within one priority
//! by arrival. When the queue is full, a call displaces the most recent call of the lowest priority below its own.
//! Calls of a low priority can therefore starve while calls of a high priority use all permits, but only until their
//! queue timeout: then they are rejected.
//!
//! A queue absorbs a burst. Under a lasting overload it would only delay every call. After a rejection, new calls
//! therefore use a short queue with a short timeout, until no call has been rejected for some time ([`wait_queue`]).
//! This is the idea of CoDel with a short queue under load (<https://queue.acm.org/detail.cfm?id=2839461>). Here a full
//! queue begins the overload, not a long wait, so a burst that fits into the queue is served completely.
//!
//! A rejection costs one short lock, so an overloaded service keeps its time for admitted calls. [`Bulkhead::try_reject`]
//! rejects a call before any work is done for it.

mod overload;
mod priority_queue;
mod release_interval;
mod settings;
mod wait_queue;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;

pub use settings::BulkheadSettings;

use crate::deadline::Deadline;
use crate::priority::Priority;
use crate::settings::InvalidSetting;
use overload::MIN_OVERLOAD_WAIT;
use wait_queue::{Admission, QueuedCall, WaitQueue};

/// The permits of one service. Clones share them.
#[derive(Clone, Debug)]
pub struct Bulkhead(Arc<Shared>);

/// The permission to run one call. Dropping it releases the permit to the next waiting call.
#[derive(Debug)]
#[must_use = "dropping a permit releases it at once"]
pub struct BulkheadPermit {
    /// `None` once the permit was passed on.
    shared: Option<Arc<Shared>>,
}

/// The bulkhead rejected the call: no permit was free, and none was released in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{reason}; running calls: {running}")]
pub struct BulkheadRejection {
    /// Why the call was rejected.
    pub reason: RejectionReason,
    /// Number of running calls at the rejection.
    pub running: usize,
    /// Time after which another attempt makes sense: the queue timeout. All calls that wait now have left by then.
    pub retry_after: Duration,
}

/// Why a call got no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum RejectionReason {
    /// The queue held its maximum number of calls.
    #[error("the queue is full")]
    QueueFull,
    /// The call waited until its deadline or the queue timeout.
    #[error("no permit was released in time")]
    QueueTimeout,
    /// The call waited until it was removed: by a call of a higher priority in a full queue, or by a sustained overload.
    #[error("the call was displaced from the queue")]
    Displaced,
}

/// The occupancy of a bulkhead at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkheadSnapshot {
    /// Maximum number of calls that run at the same time.
    pub concurrency: usize,
    /// Number of running calls. It exceeds `concurrency` for a while after a [`Bulkhead::resize`] to a smaller number.
    pub running: usize,
    /// Number of waiting calls.
    pub waiting: usize,
}

#[derive(Debug)]
struct Shared {
    queue_timeout: Duration,
    wait_queue: Mutex<WaitQueue<BulkheadPermit>>,
}

/// A waiting call. Dropping it removes the call from the queue.
struct QueueGuard<'a> {
    shared: &'a Arc<Shared>,
    call: QueuedCall,
}

// === impl Bulkhead ===

impl Bulkhead {
    /// A bulkhead with all its permits free.
    ///
    /// # Errors
    /// [`InvalidSetting`] if a setting is out of bounds.
    pub fn new(settings: BulkheadSettings) -> Result<Self, InvalidSetting> {
        settings.check()?;
        Ok(Self(Arc::new(Shared {
            queue_timeout: settings.queue_timeout,
            wait_queue: Mutex::new(WaitQueue::new(settings)),
        })))
    }

    /// Acquires a permit. Waits for one until the deadline or the queue timeout, whichever is earlier. Dropping the
    /// future removes the call from the queue.
    ///
    /// # Errors
    /// [`BulkheadRejection`]: immediately if the queue is full, later if no permit was released in time or the call was
    /// displaced.
    pub async fn acquire(
        &self,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<BulkheadPermit, BulkheadRejection> {
        let (call, permit) = match self.0.wait_queue.lock().admit(priority) {
            Admission::Admitted => return Ok(BulkheadPermit::new(&self.0)),
            Admission::Rejected { running } => {
                return Err(self.0.rejection(RejectionReason::QueueFull, running));
            }
            Admission::Queued { call, permit } => (call, permit),
        };
        let shared = &self.0;
        let queued = QueueGuard { shared, call };
        let max_wait = call.timeout.min(shared.queue_timeout);
        let timeout = deadline.remaining().min(max_wait);
        match tokio::time::timeout(timeout, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(queued.overloaded(RejectionReason::Displaced)),
            Err(_) if timeout >= queued.min_overload_wait() => {
                Err(queued.overloaded(RejectionReason::QueueTimeout))
            }
            Err(_) => Err(queued.expired()),
        }
    }

    /// Rejects a call that [`Self::acquire`] would reject immediately, before any work is done for the call. `None`
    /// admits nothing: the call must still acquire a permit.
    pub fn try_reject(&self, priority: Priority) -> Option<BulkheadRejection> {
        let running = self.0.wait_queue.lock().try_reject(priority)?;
        Some(self.0.rejection(RejectionReason::QueueFull, running))
    }

    /// Changes the number of permits (at least 1), for example to the current value of an adaptive limit. Running calls
    /// beyond a smaller number continue; their permits are not granted again.
    pub fn resize(&self, concurrency: usize) {
        let admitted = self.0.wait_queue.lock().resize(concurrency.max(1));
        for call in admitted {
            // A call that has given up meanwhile drops the permit, which passes it on.
            drop(call.send(BulkheadPermit::new(&self.0)));
        }
    }

    /// The present occupancy.
    pub fn snapshot(&self) -> BulkheadSnapshot {
        let wait_queue = self.0.wait_queue.lock();
        BulkheadSnapshot {
            concurrency: wait_queue.concurrency(),
            running: wait_queue.running(),
            waiting: wait_queue.waiting(),
        }
    }
}

// === impl Shared ===

impl Shared {
    fn rejection(&self, reason: RejectionReason, running: usize) -> BulkheadRejection {
        BulkheadRejection {
            reason,
            running,
            retry_after: self.queue_timeout,
        }
    }
}

// === impl QueueGuard ===

impl QueueGuard<'_> {
    /// The wait from which a timeout counts as overload.
    fn min_overload_wait(&self) -> Duration {
        let share = self.shared.queue_timeout / 4;
        self.call.timeout.min(share).min(MIN_OVERLOAD_WAIT)
    }

    /// A rejection that counts as overload.
    fn overloaded(&self, reason: RejectionReason) -> BulkheadRejection {
        let mut wait_queue = self.shared.wait_queue.lock();
        let running = wait_queue.record_overload(self.call.level);
        self.shared.rejection(reason, running)
    }

    /// A rejection that does not count as overload: the call had too little time left when it arrived.
    fn expired(&self) -> BulkheadRejection {
        let running = self.shared.wait_queue.lock().running();
        self.shared
            .rejection(RejectionReason::QueueTimeout, running)
    }
}

impl Drop for QueueGuard<'_> {
    fn drop(&mut self) {
        self.shared.wait_queue.lock().remove(self.call);
    }
}

// === impl BulkheadPermit ===

impl BulkheadPermit {
    fn new(shared: &Arc<Shared>) -> Self {
        let shared = Some(shared.clone());
        Self { shared }
    }
}

impl Drop for BulkheadPermit {
    /// Passes the permit to the next waiting call that still wants it.
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        loop {
            let Some(next) = shared.wait_queue.lock().release() else {
                return;
            };
            match next.send(Self::new(&shared)) {
                Ok(()) => return,
                // The call gave up at this very moment. Its permit must not run this function again: it would recurse.
                Err(mut permit) => permit.shared = None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
