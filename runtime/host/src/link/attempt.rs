//! What the end of an attempt says: about the health of the other side, and about trying again.
//!
//! | an attempt ended with | to the breaker it is |
//! |---|---|
//! | an answer below 500 | a success once its last byte is there ([`classify`]): the other side does its work, and 402, 404 or 409 may be exactly that |
//! | half of one: it breaks off, or stalls until the deadline | a failure |
//! | a component's own 503 with `Retry-After` | nothing: it says in good order that something *behind* it is away. The breaker there opens; opening here as well would also cut off what still works |
//! | any other 5xx | a failure |
//! | a trap, no instance, no connection, a broken one | a failure |
//! | the deadline | a failure, unless the caller had left it less than half of what it may take |
//! | a caller who went away early | nothing; at the end of his patience: the same as the deadline |
//! | a refusal of the host (full, a loop, too large) | nothing |

mod classify;

use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use http::{Response, StatusCode};
use resilience::breaker::{BreakerOutcome, BreakerPermit};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::problem::Problem;
use classify::classified;

/// Why an attempt brought no answer.
pub trait AttemptError: From<Problem> + Send + 'static {
    /// What it says about the other side.
    fn outcome(&self) -> CallOutcome;
    /// Whether another attempt may go better, and soon.
    fn is_worth_another(&self) -> bool;
    /// What it is counted as.
    fn failure(&self) -> CallFailure;
    /// Whether an answer of its own that refers elsewhere, 503 with `Retry-After`, says nothing about its health.
    const MAY_REPORT_DEPENDENCY_OUTAGE: bool;
}

/// Why a call over a link brought no answer, as an operator tells calls apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// There was no place for it.
    Shed,
    /// The breaker was open.
    BreakerOpen,
    /// It took too long.
    Deadline,
    /// The component trapped.
    Trap,
    /// Anything else: no connection, a loop.
    Other,
}

/// What an attempt says about the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Success,
    Failure,
    /// It took all the time there was.
    TimedOut,
    Ignored,
}

/// Why a request to a host elsewhere brought no answer.
#[derive(Debug)]
pub enum RemoteError {
    /// This host did not let it out.
    Refused(Problem),
    /// It went out, or tried to.
    Failed(Error),
}

/// An attempt under way. Dropped, because the caller has gone, it is classified by how long it was waited for.
pub(super) struct PendingOutcome {
    permit: Option<BreakerPermit>,
    begun: Instant,
    allowed: Duration,
    limit: Duration,
    /// How long the caller has done something else than to wait.
    idle: Duration,
}

/// The part of its time after which a caller who leaves has run out of patience: his clock and ours differ a little.
const ALL_BUT: f64 = 0.9;

// === impl PendingOutcome ===

impl PendingOutcome {
    pub fn new(permit: BreakerPermit, deadline: Instant, limit: Duration) -> Self {
        let begun = Instant::now();
        Self {
            permit: Some(permit),
            begun,
            allowed: deadline.saturating_duration_since(begun),
            limit,
            idle: Duration::ZERO,
        }
    }

    /// Judges the attempt by its answer, now or when the last byte of it is there, which should be until then.
    pub fn ended<E: AttemptError>(
        mut self,
        answer: Result<Response<WasiBody>, E>,
        until: Instant,
    ) -> Result<Response<WasiBody>, E> {
        match (outcome(&answer), answer) {
            (CallOutcome::Success, Ok(response)) => Ok(classified(response, self, until)),
            (outcome, answer) => {
                self.record(outcome);
                answer
            }
        }
    }

    /// How long the other side has been waited for at most.
    fn given(&self) -> Duration {
        self.allowed.saturating_sub(self.idle)
    }

    fn record(&mut self, outcome: CallOutcome) {
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
        let is_patience_over = self.begun.elapsed() >= self.allowed.mul_f64(ALL_BUT);
        if self.permit.is_some() && is_patience_over {
            self.record(CallOutcome::TimedOut);
        }
    }
}

fn outcome<E: AttemptError>(answer: &Result<Response<WasiBody>, E>) -> CallOutcome {
    match answer {
        Ok(response) if !response.status().is_server_error() => CallOutcome::Success,
        Ok(response) if E::MAY_REPORT_DEPENDENCY_OUTAGE && reports_dependency_outage(response) => {
            CallOutcome::Ignored
        }
        Ok(_) => CallOutcome::Failure,
        Err(error) => error.outcome(),
    }
}

fn reports_dependency_outage(response: &Response<WasiBody>) -> bool {
    response.status() == StatusCode::SERVICE_UNAVAILABLE
        && response.headers().contains_key(RETRY_AFTER)
}

/// Whether a fallback may answer instead.
pub(super) fn is_outage<E: AttemptError>(answer: &Result<Response<WasiBody>, E>) -> bool {
    match answer {
        Ok(response) => response.status().is_server_error(),
        Err(_) => true,
    }
}

/// Whether another attempt may go better. An answer of the other side is one, except that of a proxy which did not
/// reach it.
pub(super) fn is_worth_another<E: AttemptError>(answer: &Result<Response<WasiBody>, E>) -> bool {
    match answer {
        Ok(response) => response.status() == StatusCode::BAD_GATEWAY,
        Err(error) => error.is_worth_another(),
    }
}

impl AttemptError for Problem {
    fn outcome(&self) -> CallOutcome {
        match self {
            Self::ComponentTrapped { .. } | Self::FaultInjected { .. } => CallOutcome::Failure,
            Self::DeadlineExceeded { .. } => CallOutcome::TimedOut,
            _ => CallOutcome::Ignored,
        }
    }

    fn is_worth_another(&self) -> bool {
        matches!(self, Self::ComponentTrapped { .. })
    }

    fn failure(&self) -> CallFailure {
        match self {
            Self::Overloaded { .. } => CallFailure::Shed,
            Self::BreakerOpen { .. } => CallFailure::BreakerOpen,
            Self::DeadlineExceeded { .. } => CallFailure::Deadline,
            Self::ComponentTrapped { .. } => CallFailure::Trap,
            _ => CallFailure::Other,
        }
    }

    const MAY_REPORT_DEPENDENCY_OUTAGE: bool = true;
}

impl AttemptError for RemoteError {
    fn outcome(&self) -> CallOutcome {
        match self {
            Self::Refused(problem) => problem.outcome(),
            Self::Failed(Error::ConnectionReadTimeout) => CallOutcome::TimedOut,
            // The guest's own mistake.
            Self::Failed(Error::HttpRequestUriInvalid | Error::HttpRequestBodySize(_)) => {
                CallOutcome::Ignored
            }
            Self::Failed(_) => CallOutcome::Failure,
        }
    }

    fn is_worth_another(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Failed(Error::ConnectionReadTimeout) => false,
            Self::Failed(_) => true,
        }
    }

    fn failure(&self) -> CallFailure {
        match self {
            Self::Refused(problem) => problem.failure(),
            Self::Failed(Error::ConnectionReadTimeout) => CallFailure::Deadline,
            Self::Failed(_) => CallFailure::Other,
        }
    }

    const MAY_REPORT_DEPENDENCY_OUTAGE: bool = false;
}

impl RemoteError {
    /// The response for the guest. A rejection is a response, as from any proxy: the guest learns that nothing was sent
    /// and when to retry.
    ///
    /// # Errors
    /// The error of the client, when the request was sent or tried.
    pub fn into_response(self) -> Result<Response<WasiBody>, Error> {
        match self {
            Self::Refused(problem) => Ok(problem.response()),
            Self::Failed(error) => Err(error),
        }
    }
}

impl From<Problem> for RemoteError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::full;

    fn answered(status: u16) -> Response<WasiBody> {
        let mut response = Response::new(full(""));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    fn from_component(response: Response<WasiBody>) -> CallOutcome {
        outcome::<Problem>(&Ok(response))
    }

    #[test]
    fn what_a_customer_did_wrong_is_no_failure() {
        for status in [200, 201, 304, 400, 402, 404, 409, 412, 422, 429] {
            assert_eq!(
                from_component(answered(status)),
                CallOutcome::Success,
                "{status}"
            );
        }
        assert_eq!(from_component(answered(500)), CallOutcome::Failure);
    }

    #[test]
    fn a_component_that_reports_dependency_outage_is_not_sick_itself() {
        let mut response = answered(503);
        assert_eq!(from_component(answered(503)), CallOutcome::Failure);
        response
            .headers_mut()
            .insert(RETRY_AFTER, http::HeaderValue::from_static("2"));
        assert_eq!(from_component(response), CallOutcome::Ignored);

        let mut elsewhere = answered(503);
        elsewhere
            .headers_mut()
            .insert(RETRY_AFTER, http::HeaderValue::from_static("2"));
        assert_eq!(outcome::<RemoteError>(&Ok(elsewhere)), CallOutcome::Failure);
    }

    #[test]
    fn an_error_on_request_is_a_failure_like_a_real_one() {
        let component = "car".to_owned();
        let problem = Problem::FaultInjected { component };
        assert_eq!(outcome(&Err(problem)), CallOutcome::Failure);
    }

    #[test]
    fn a_refusal_of_the_host_says_nothing_about_the_other_side() {
        let full = Problem::Overloaded {
            who: "car".to_owned(),
            retry_after: Duration::from_secs(1),
        };
        assert_eq!(outcome(&Err(full)), CallOutcome::Ignored);
    }
}
