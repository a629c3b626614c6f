//! The breaker as calls meet it: the machine behind a lock, with tokio's clock and an observer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;

use super::state_machine::{AdmittedCall, StateChange, StateMachine};
use super::{BreakerConfig, BreakerOutcome, BreakerSnapshot, BreakerState, Timestamp, Transition};

/// The breaker of one link. Clones are the same breaker.
#[derive(Clone)]
pub struct Breaker(Arc<Shared>);

/// The right to make one call. Dropped without a verdict, it counts as slow if it was, and otherwise not at all.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once admits nothing"]
pub struct BreakerPermit {
    breaker: Breaker,
    /// Nothing once the outcome was recorded.
    ticket: Option<AdmittedCall>,
}

/// The breaker lets no call through.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the breaker of `{link}` is {state}")]
pub struct BreakerRejection {
    /// The link that it guards.
    pub link: Arc<str>,
    /// Open, forced open, or half-open with all its probes under way.
    pub state: BreakerState,
    /// When it makes sense to try again.
    pub retry_after: Duration,
}

struct Shared {
    link: Arc<str>,
    /// The machine counts time from here.
    birth: Instant,
    machine: Mutex<StateMachine>,
    observer: Box<dyn Fn(&Transition) + Send + Sync>,
}

// === impl Breaker ===

impl Breaker {
    /// A closed breaker for this link. The observer hears of every change of state, on the thread that caused it; it
    /// may use the breaker, but holds up the call while it runs.
    pub fn new(
        link: impl Into<Arc<str>>,
        config: BreakerConfig,
        observer: impl Fn(&Transition) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            link: link.into(),
            birth: Instant::now(),
            machine: Mutex::new(StateMachine::new(config, fastrand::u64(..))),
            observer: Box::new(observer),
        }))
    }

    /// Asks for the right to make a call.
    ///
    /// # Errors
    /// [`BreakerRejection`] when the service should be left alone.
    pub fn acquire(&self) -> Result<BreakerPermit, BreakerRejection> {
        let now = self.now();
        let (admitted, change) = self.0.machine.lock().admit(now);
        self.report(change);
        match admitted {
            Ok(ticket) => Ok(BreakerPermit {
                breaker: self.clone(),
                ticket: Some(ticket),
            }),
            Err(denied) => Err(BreakerRejection {
                link: self.0.link.clone(),
                state: denied.state,
                retry_after: denied.retry_after,
            }),
        }
    }

    /// What it does with calls.
    pub fn state(&self) -> BreakerState {
        self.0.machine.lock().state()
    }

    /// All there is to see of it.
    pub fn snapshot(&self) -> BreakerSnapshot {
        let now = self.now();
        self.0.machine.lock().snapshot(now)
    }

    /// Refuses every call until told otherwise.
    pub fn force_open(&self) {
        self.steer(StateMachine::force_open);
    }

    /// Lets every call through until told otherwise.
    pub fn disable(&self) {
        self.steer(StateMachine::disable);
    }

    /// Begins anew: closed, with an empty window.
    pub fn reset(&self) {
        self.steer(StateMachine::reset);
    }

    fn steer(&self, order: impl FnOnce(&mut StateMachine, Timestamp) -> Option<StateChange>) {
        let now = self.now();
        let change = order(&mut self.0.machine.lock(), now);
        self.report(change);
    }

    fn now(&self) -> Timestamp {
        self.0.birth.elapsed()
    }

    /// Tells the observer, after the lock was given back.
    fn report(&self, change: Option<StateChange>) {
        if let Some(StateChange {
            sequence,
            from,
            to,
            reason,
            retry_after,
        }) = change
        {
            let link = self.0.link.clone();
            (self.0.observer)(&Transition {
                link,
                sequence,
                from,
                to,
                reason,
                retry_after,
            });
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Breaker")
            .field("link", &self.0.link)
            .field("state", &self.state())
            .finish()
    }
}

// === impl Permit ===

impl BreakerPermit {
    /// Leaves out time in which the service was not waited for, so that it is not what makes the call slow.
    pub fn excluding(mut self, elsewhere: Duration) -> Self {
        self.ticket = self.ticket.map(|ticket| ticket.later_by(elsewhere));
        self
    }

    /// Tells the breaker how the call ended.
    pub fn record(mut self, outcome: BreakerOutcome) {
        if let Some(ticket) = self.ticket.take() {
            let now = self.breaker.now();
            let change = self.breaker.0.machine.lock().finish(ticket, outcome, now);
            self.breaker.report(change);
        }
    }
}

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let now = self.breaker.now();
            let change = self.breaker.0.machine.lock().abandon(ticket, now);
            self.breaker.report(change);
        }
    }
}
