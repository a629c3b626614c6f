//! The breaker that callers share: the state machine behind a lock, with tokio's clock and an observer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;

use super::config::BreakerConfig;
use super::decision::{AdmittedCall, StateChange};
use super::outcome::BreakerOutcome;
use super::snapshot::BreakerSnapshot;
use super::state_machine::StateMachine;
use super::transition::{BreakerState, Transition};
use crate::timestamp::Timestamp;

/// The breaker of one link. Clones share it.
#[derive(Clone)]
pub struct Breaker(Arc<Shared>);

/// The permission to make one call. Dropped without an outcome, it counts as slow if the call took so long, and
/// otherwise as ignored.
#[derive(Debug)]
#[must_use = "a dropped permit counts as a cancelled call"]
pub struct BreakerPermit {
    breaker: Breaker,
    /// `None` once the outcome was recorded.
    call: Option<AdmittedCall>,
}

/// The breaker rejected the call.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the breaker of `{link}` is {state}")]
pub struct BreakerRejection {
    /// The link that the breaker protects.
    pub link: Arc<str>,
    /// Open, forced open, or half-open with all probes in progress.
    pub state: BreakerState,
    /// Time after which another attempt makes sense.
    pub retry_after: Duration,
}

struct Shared {
    link: Arc<str>,
    /// The origin of the state machine's timestamps.
    created: Instant,
    machine: Mutex<StateMachine>,
    observer: Box<dyn Fn(&Transition) + Send + Sync>,
}

// === impl Breaker ===

impl Breaker {
    /// A closed breaker for a link.
    ///
    /// `observer` is called with each transition, on the thread that caused it, and delays the call of that thread. It
    /// may use the breaker.
    pub fn new(
        link: impl Into<Arc<str>>,
        config: BreakerConfig,
        observer: impl Fn(&Transition) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            link: link.into(),
            created: Instant::now(),
            machine: Mutex::new(StateMachine::new(config, fastrand::u64(..))),
            observer: Box::new(observer),
        }))
    }

    /// Acquires the permission to make a call.
    ///
    /// # Errors
    /// [`BreakerRejection`] while the breaker lets no call through.
    pub fn acquire(&self) -> Result<BreakerPermit, BreakerRejection> {
        let now = self.now();
        let (decision, change) = self.0.machine.lock().admit(now);
        self.report(change);
        match decision {
            Ok(call) => Ok(BreakerPermit {
                breaker: self.clone(),
                call: Some(call),
            }),
            Err(rejected) => Err(BreakerRejection {
                link: self.0.link.clone(),
                state: rejected.state,
                retry_after: rejected.retry_after,
            }),
        }
    }

    /// The present state.
    pub fn state(&self) -> BreakerState {
        self.0.machine.lock().state()
    }

    /// The state and the counts for an operator.
    pub fn snapshot(&self) -> BreakerSnapshot {
        let now = self.now();
        self.0.machine.lock().snapshot(now)
    }

    /// Rejects every call until [`Self::reset`] or [`Self::disable`].
    pub fn force_open(&self) {
        self.change(StateMachine::force_open);
    }

    /// Lets every call pass until [`Self::reset`] or [`Self::force_open`].
    pub fn disable(&self) {
        self.change(StateMachine::disable);
    }

    /// Closes the breaker, with an empty window and the initial open duration.
    pub fn reset(&self) {
        self.change(StateMachine::reset);
    }

    fn change(&self, step: impl FnOnce(&mut StateMachine, Timestamp) -> Option<StateChange>) {
        let now = self.now();
        let change = step(&mut self.0.machine.lock(), now);
        self.report(change);
    }

    fn now(&self) -> Timestamp {
        self.0.created.elapsed()
    }

    /// Calls the observer, after the lock was released.
    fn report(&self, change: Option<StateChange>) {
        if let Some(change) = change {
            (self.0.observer)(&Transition {
                link: self.0.link.clone(),
                sequence: change.sequence,
                from: change.from,
                to: change.to,
                reason: change.reason,
                retry_after: change.retry_after,
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

// === impl BreakerPermit ===

impl BreakerPermit {
    /// Excludes time from the duration of the call: time in which it did not wait for the service.
    pub fn excluding(mut self, time: Duration) -> Self {
        self.call = self.call.map(|call| call.later_by(time));
        self
    }

    /// Whether the breaker is half-open, so that the outcome of this call decides its next state.
    pub fn is_probe(&self) -> bool {
        self.breaker.state() == BreakerState::HalfOpen
    }

    /// Records how the call ended.
    pub fn record(mut self, outcome: BreakerOutcome) {
        if let Some(call) = self.call.take() {
            let finish = |machine: &mut StateMachine, now| machine.finish(call, outcome, now);
            self.breaker.change(finish);
        }
    }
}

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.breaker
                .change(|machine, now| machine.abandon(call, now));
        }
    }
}
