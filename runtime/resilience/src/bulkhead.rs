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
//! refused any more ([`door`]). This is the idea of CoDel with a short queue under load
//! (<https://queue.acm.org/detail.cfm?id=2839461>), begun by a full queue instead of an old one: a crowd that fits in is
//! served to the last.
//!
//! Turning away costs one short lock, so that an overloaded service keeps its time for the calls it let in; and it can
//! be asked for before anything was done for a call ([`Bulkhead::turn_away`]).

mod door;
mod service;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::oneshot;

pub use service::{BulkheadLayer, BulkheadService};

use crate::Priority;
use crate::setting::{BadSetting, a_time, within};
use door::{Door, Entry, TELLING, Ticket};

/// The places of one service. Clones are the same places.
#[derive(Clone, Debug)]
pub struct Bulkhead(Arc<Shared>);

/// What may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Calls that run at the same time.
    pub concurrency: usize,
    /// Calls that wait for one of them to end.
    pub queue: usize,
    /// The longest that one of them waits.
    pub wait: Duration,
}

/// Settings that were checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config(Settings);

/// A place, given back when dropped.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once admits nothing"]
pub struct Permit {
    /// Nothing once the place was passed on.
    shared: Option<Arc<Shared>>,
}

/// No place, and no place in the queue, or not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{reason} ({running} calls run)")]
pub struct Refused {
    /// What was lacking.
    pub reason: Reason,
    /// How many calls were running.
    pub running: usize,
    /// When it makes sense to try again: by then everybody who waits now will have had a place or been refused.
    pub retry_after: Duration,
}

/// Why a call got no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Reason {
    /// As many calls wait as may.
    #[error("the queue is full")]
    QueueFull,
    /// It waited as long as a call may.
    #[error("no place became free in time")]
    WaitedTooLong,
    /// It waited, until a call came that matters more.
    #[error("a call that matters more took its place in the queue")]
    Displaced,
}

/// Who is where at one moment, and what became of everybody before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The places there are.
    pub concurrency: usize,
    /// Calls that run.
    pub running: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls that were let in since the beginning.
    pub admitted: u64,
    /// Calls that were refused since the beginning, by priority, the least first.
    pub refused: [u64; Priority::ALL.len()],
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    door: Mutex<Door>,
}

// === impl Bulkhead ===

impl Bulkhead {
    /// Places as configured, all of them free.
    pub fn new(config: Config) -> Self {
        let settings = config.0;
        Self(Arc::new(Shared {
            settings,
            door: Mutex::new(Door::new(settings.concurrency, settings.queue)),
        }))
    }

    /// Waits for a place. Dropping this future leaves the queue.
    ///
    /// # Errors
    /// [`Refused`] at once when the queue is full, and later when no place became free in time.
    pub async fn acquire(&self, priority: Priority) -> Result<Permit, Refused> {
        self.acquire_within(priority, self.0.settings.wait).await
    }

    /// Waits for a place, but no longer than the caller can: he is refused like anybody else who waited in vain, which
    /// he would not be if he merely dropped [`Self::acquire`].
    ///
    /// # Errors
    /// [`Refused`], as from there.
    pub async fn acquire_within(
        &self,
        priority: Priority,
        patience: Duration,
    ) -> Result<Permit, Refused> {
        let (ticket, place) = match self.0.door.lock().enter(priority) {
            Entry::Admitted => {
                return Ok(Permit {
                    shared: Some(self.0.clone()),
                });
            }
            Entry::Refused { running } => return Err(self.0.refused(Reason::QueueFull, running)),
            Entry::Queued { ticket, place } => (ticket, place),
        };
        let queued = Queued {
            shared: &self.0,
            priority,
            ticket,
        };
        let wait = self.0.settings.wait;
        let patience = patience.min(ticket.patience).min(wait);
        let is_telling = patience >= ticket.patience.min(wait / 4).min(TELLING);
        match tokio::time::timeout(patience, place).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(queued.refused(Reason::Displaced)),
            Err(_) if is_telling => Err(queued.refused(Reason::WaitedTooLong)),
            Err(_) => Err(queued.gave_up()),
        }
    }

    /// Refuses a call now that [`Self::acquire`] would refuse without waiting: for who wants to know before he prepares
    /// one. A call that is not refused has no place yet.
    pub fn turn_away(&self, priority: Priority) -> Option<Refused> {
        let running = self.0.door.lock().turn_away(priority)?;
        Some(self.0.refused(Reason::QueueFull, running))
    }

    /// Changes how many calls may run, for instance to what an adaptive limit has found out. Calls that run beyond
    /// a smaller number are left in peace; their places are not filled again.
    pub fn resize(&self, concurrency: usize) {
        let admitted = self.0.door.lock().resize(concurrency.max(1));
        for place in admitted {
            // Whoever has left meanwhile drops the permit, which passes it on.
            drop(place.send(Permit {
                shared: Some(self.0.clone()),
            }));
        }
    }

    /// Who is where.
    pub fn snapshot(&self) -> Snapshot {
        self.0.door.lock().snapshot()
    }
}

// === impl Shared ===

impl Shared {
    fn refused(&self, reason: Reason, running: usize) -> Refused {
        Refused {
            reason,
            running,
            retry_after: self.settings.wait,
        }
    }
}

/// A call in the queue, which leaves it when dropped.
struct Queued<'a> {
    shared: &'a Arc<Shared>,
    priority: Priority,
    ticket: Ticket,
}

impl Queued<'_> {
    fn refused(&self, reason: Reason) -> Refused {
        let running = self.shared.door.lock().note_refusal(self.priority);
        self.shared.refused(reason, running)
    }

    /// He had hardly any time: that he got no place in it is not the fault of the others.
    fn gave_up(&self) -> Refused {
        let running = self.shared.door.lock().count_refusal(self.priority);
        self.shared.refused(Reason::WaitedTooLong, running)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.shared.door.lock().leave_queue(self.ticket);
    }
}

// === impl Permit ===

impl Drop for Permit {
    /// Gives the place to the first in line who still wants it.
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        loop {
            let Some(next) = shared.door.lock().leave() else {
                return;
            };
            match next.send(Permit {
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
type Place = oneshot::Sender<Permit>;

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            queue: 256,
            wait: Duration::from_secs(1),
        }
    }
}

// === impl Config ===

impl Config {
    /// Checks settings.
    ///
    /// # Errors
    /// When nobody could ever run, or a bound is none.
    pub fn new(settings: Settings) -> Result<Self, BadSetting> {
        within("concurrency", settings.concurrency, 1..=100_000)?;
        within("queue", settings.queue, 0..=1_000_000)?;
        a_time("wait", settings.wait)?;
        Ok(Self(settings))
    }

    /// What was checked.
    pub fn settings(&self) -> &Settings {
        &self.0
    }
}

#[cfg(test)]
mod tests;
