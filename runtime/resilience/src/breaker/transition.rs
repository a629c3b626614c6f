//! What a breaker tells about itself: the states it may be in, and every change from one to another with its reason.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a breaker does with calls. A *closed* breaker lets them through, as a closed switch lets current through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Calls go through, and their outcomes are counted.
    Closed,
    /// Calls are refused until some time has passed. The first call after that makes it half-open.
    Open,
    /// A few calls go through as probes; their outcomes decide between closed and open.
    HalfOpen,
    /// An operator has every call refused.
    ForcedOpen,
    /// An operator lets every call through, whatever its outcome.
    Disabled,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The link that the breaker guards.
    pub link: Arc<str>,
    /// Counts the changes of this breaker from 1. Observers run outside its lock, so two changes that follow closely
    /// may be reported out of order; this tells.
    pub sequence: u64,
    /// The state it left.
    pub from: BreakerState,
    /// The state it entered.
    pub to: BreakerState,
    /// Why.
    pub reason: TransitionReason,
    /// How long calls are refused from now on, if they are.
    pub retry_after: Option<Duration>,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionReason {
    /// Too many calls in the window failed.
    FailureRate {
        /// How many percent.
        percent: u8,
        /// Of how many calls.
        calls: u32,
    },
    /// Too many calls in the window were slow.
    SlowCallRate {
        /// How many percent.
        percent: u8,
        /// Of how many calls.
        calls: u32,
    },
    /// Too many calls failed one after the other.
    ConsecutiveFailures {
        /// How many.
        failures: u32,
    },
    /// It was open for its time and now wants to know.
    OpenDurationElapsed,
    /// Enough of the probes went well.
    ProbesSucceeded,
    /// Too many of the probes failed or were slow.
    ProbesFailed {
        /// How many failed.
        failed: u32,
        /// How many were slow.
        slow: u32,
    },
    /// The probes did not come back in time.
    ProbesTimedOut,
    /// Somebody told it to.
    Operator,
}

// === impl State ===

impl BreakerState {
    /// The word for it in logs, metrics and events.
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

// === impl Reason ===

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
            Self::OpenDurationElapsed => formatter.write_str("the open time is over"),
            Self::ProbesSucceeded => formatter.write_str("the probes succeeded"),
            Self::ProbesFailed { failed, slow } => {
                write!(formatter, "{failed} probes failed, {slow} were slow")
            }
            Self::ProbesTimedOut => formatter.write_str("the probes were not answered"),
            Self::Operator => formatter.write_str("an operator said so"),
        }
    }
}
