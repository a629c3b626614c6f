//! The outcome of an attempt for the breaker and the metrics.

mod classify;

use std::fmt;
use std::time::{Duration, Instant};

use resilience::breaker::{BreakerOutcome, BreakerPermit};

use crate::problem::Problem;
pub(super) use classify::classified;

/// Why an attempt has no response.
pub trait AttemptError: From<Problem> + fmt::Display + Send + 'static {
    /// The outcome for the breaker.
    fn outcome(&self) -> CallOutcome;
    /// Whether another attempt may succeed soon.
    fn is_worth_another(&self) -> bool;
    /// The reason for the metrics.
    fn failure(&self) -> CallFailure;
    /// The reason for the span of the attempt: one of few.
    fn error_type(&self) -> &'static str;
    /// Whether a 503 with `Retry-After` of the target reports an unavailable dependency, and not its own health.
    const MAY_REPORT_DEPENDENCY_OUTAGE: bool;
}

/// Why a call has no response, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The admission rejected it.
    Shed,
    /// The breaker was open.
    BreakerOpen,
    /// It missed the deadline.
    Deadline,
    /// The component trapped.
    Trap,
    /// Anything else: no connection, a loop.
    Other,
}

/// The outcome of an attempt for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Success,
    Failure,
    /// It missed the deadline.
    TimedOut,
    Ignored,
}

/// An attempt in progress. When the caller leaves and it is dropped, the time until then decides its outcome.
pub struct PendingOutcome {
    permit: Option<BreakerPermit>,
    begun: Instant,
    allowed: Duration,
    limit: Duration,
    /// How long the caller did not wait for the target.
    idle: Duration,
}

/// The share of its time after which a caller that leaves counts as timed out: its clock differs a little from ours.
const LEAVE_SHARE: f64 = 0.9;

// === impl PendingOutcome ===

impl PendingOutcome {
    pub(super) fn new(permit: BreakerPermit, deadline: Instant, limit: Duration) -> Self {
        let begun = Instant::now();
        Self {
            permit: Some(permit),
            begun,
            allowed: deadline.saturating_duration_since(begun),
            limit,
            idle: Duration::ZERO,
        }
    }

    /// Whether the outcome decides the next state of a half-open breaker.
    fn is_probe(&self) -> bool {
        self.permit.as_ref().is_some_and(BreakerPermit::is_probe)
    }

    /// The longest wait for the target.
    fn given(&self) -> Duration {
        self.allowed.saturating_sub(self.idle)
    }

    pub(super) fn record(&mut self, outcome: CallOutcome) {
        let outcome = match outcome {
            CallOutcome::Success => BreakerOutcome::Success,
            CallOutcome::Failure => BreakerOutcome::Failure,
            CallOutcome::TimedOut if self.given() >= self.limit / 2 => BreakerOutcome::Failure,
            CallOutcome::TimedOut | CallOutcome::Ignored => BreakerOutcome::Ignored,
        };
        if let Some(permit) = self.permit.take() {
            permit.excluding(self.idle).record(outcome);
        }
    }
}

impl Drop for PendingOutcome {
    fn drop(&mut self) {
        let is_timed_out = self.begun.elapsed() >= self.allowed.mul_f64(LEAVE_SHARE);
        if self.permit.is_some() && is_timed_out {
            self.record(CallOutcome::TimedOut);
        }
    }
}
