//! The states of a breaker, and the transitions between them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The state of a breaker. A *closed* breaker lets calls through, as a closed switch lets current through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Calls pass, and their outcomes are counted.
    Closed,
    /// Calls are rejected until the open duration has elapsed. The first call after that makes the breaker half-open.
    Open,
    /// A few calls pass as probes. Their outcomes decide whether the breaker closes or opens again.
    HalfOpen,
    /// All calls are rejected, at the request of an operator.
    ForcedOpen,
    /// All calls pass whatever their outcome, at the request of an operator.
    Disabled,
}

/// A change of the state of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The link that the breaker protects.
    pub link: Arc<str>,
    /// The number of this change, from 1. Observers run outside the lock of the breaker, so two changes in quick
    /// succession can be reported in the wrong order; this number gives the right one.
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

/// The cause of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionReason {
    /// Too many calls in the window failed.
    FailureRate {
        /// The percentage of failed calls.
        percent: u8,
        /// The number of calls in the window.
        calls: u32,
    },
    /// Too many calls in the window were slow.
    SlowCallRate {
        /// The percentage of slow calls.
        percent: u8,
        /// The number of calls in the window.
        calls: u32,
    },
    /// Too many consecutive calls failed.
    ConsecutiveFailures {
        /// The number of consecutive failures.
        failures: u32,
    },
    /// The open duration has elapsed.
    OpenDurationElapsed,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// Too many probes failed or were slow.
    ProbesFailed {
        /// The number of failed probes.
        failed: u32,
        /// The number of slow probes.
        slow: u32,
    },
    /// The probes did not end within the probe timeout.
    ProbesTimedOut,
    /// An operator requested it.
    Operator,
}

// === impl BreakerState ===

impl BreakerState {
    /// The name of the state in logs, metrics and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::ForcedOpen => "forced-open",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

// === impl TransitionReason ===

impl fmt::Display for TransitionReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureRate { percent, calls } => {
                write!(formatter, "{percent} % of {calls} calls failed")
            }
            Self::SlowCallRate { percent, calls } => {
                write!(formatter, "{percent} % of {calls} calls were slow")
            }
            Self::ConsecutiveFailures { failures } => {
                write!(formatter, "{failures} calls in a row failed")
            }
            Self::OpenDurationElapsed => formatter.write_str("the open duration elapsed"),
            Self::ProbesSucceeded => formatter.write_str("the probes succeeded"),
            Self::ProbesFailed { failed, slow } => {
                write!(formatter, "{failed} probes failed, {slow} were slow")
            }
            Self::ProbesTimedOut => formatter.write_str("the probes timed out"),
            Self::Operator => formatter.write_str("requested by an operator"),
        }
    }
}
