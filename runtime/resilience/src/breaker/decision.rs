//! What a state machine returns: the decision about a call, and the change of state that a call or an operator caused.

use std::time::Duration;

use super::transition::{BreakerState, TransitionReason};
use crate::timestamp::Timestamp;

/// The decision about a call, and the change of state that the call caused, if any.
pub type AdmissionDecision = (Result<AdmittedCall, RejectedCall>, Option<StateChange>);

/// A call that the breaker let through. It must be given back to the state machine when it ends.
#[derive(Clone, Copy, Debug)]
pub struct AdmittedCall {
    /// The generation of the state in which the call was admitted.
    pub(super) generation: u64,
    pub(super) start: Timestamp,
}

/// A call that the breaker rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedCall {
    /// Open, forced open, or half-open with all probes in progress.
    pub state: BreakerState,
    /// Time after which another attempt makes sense.
    pub retry_after: Duration,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The number of this change, from 1.
    pub sequence: u64,
    /// The previous state.
    pub from: BreakerState,
    /// The new state.
    pub to: BreakerState,
    /// The cause.
    pub reason: TransitionReason,
    /// For how long calls are rejected from now on; `None` if they are not.
    pub retry_after: Option<Duration>,
}

impl AdmittedCall {
    /// The same call, as if it had begun later by this time.
    #[must_use]
    pub fn later_by(self, time: Duration) -> Self {
        Self {
            start: self.start + time,
            ..self
        }
    }
}
