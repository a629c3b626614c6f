//! Classifies how an attempt ended: what it says about the health of the target, and whether to repeat it.
//!
//! | An attempt ended with | Outcome for the breaker |
//! |---|---|
//! | a response below 500 | success at its last byte ([`super::outcome`]): 402, 404 and 409 may be correct results |
//! | a part of a response: it breaks off, or stalls until the deadline | failure |
//! | a component's own 503 with `Retry-After` | ignored: a dependency of the component is unavailable. The breaker of that dependency opens; opening here as well would cut off calls that still succeed |
//! | any other 5xx | failure |
//! | a trap, no instance, no connection, a broken connection | failure |
//! | a pooled connection that was forgotten on its way to a remote host | ignored |
//! | the deadline | failure, unless the caller had left the target less than half of its limit |
//! | a caller that leaves early | ignored; close to the deadline, the same as the deadline |
//! | a rejection by the host (overload, loop, too large) | ignored |

use std::time::Instant;

use http::{Response, StatusCode};
use wasmtime_wasi_http::{Error, WasiBody};

use super::outcome::{AttemptError, CallFailure, CallOutcome, PendingOutcome};
use super::request::LinkResponse;
use crate::problem::Problem;

/// Why a request to a remote host has no response.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A guard of the link rejected it.
    #[error(transparent)]
    Refused(Problem),
    /// The request or its connection failed.
    #[error("{0}")]
    Failed(Error),
}

/// Classifies an attempt by its result, now or when the response is complete, whose deadline is `until`.
pub(super) fn ended<A: LinkResponse, E: AttemptError>(
    mut pending: PendingOutcome,
    answer: Result<A, E>,
    until: Instant,
) -> Result<A, E> {
    match (outcome(&answer), answer) {
        (CallOutcome::Success, Ok(response)) => Ok(response.classified(pending, until)),
        (outcome, answer) => {
            pending.record(outcome);
            answer
        }
    }
}

fn outcome<A: LinkResponse, E: AttemptError>(answer: &Result<A, E>) -> CallOutcome {
    match answer {
        Ok(response) if !response.status().is_server_error() => CallOutcome::Success,
        Ok(response) if E::MAY_REPORT_DEPENDENCY_OUTAGE && reports_dependency_outage(response) => {
            CallOutcome::Ignored
        }
        Ok(_) => CallOutcome::Failure,
        Err(error) => error.outcome(),
    }
}

fn reports_dependency_outage(response: &impl LinkResponse) -> bool {
    response.status() == StatusCode::SERVICE_UNAVAILABLE && response.has_retry_after()
}

/// Whether a fallback may respond instead.
pub(super) fn is_outage<A: LinkResponse, E: AttemptError>(answer: &Result<A, E>) -> bool {
    match answer {
        Ok(response) => response.status().is_server_error(),
        Err(_) => true,
    }
}

/// Whether another attempt may succeed. A response of the target is final, except that of a proxy that did not reach
/// it.
pub(super) fn is_worth_another<A: LinkResponse, E: AttemptError>(answer: &Result<A, E>) -> bool {
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

    fn error_type(&self) -> &'static str {
        self.slug()
    }

    const MAY_REPORT_DEPENDENCY_OUTAGE: bool = true;
}

impl AttemptError for RemoteError {
    fn outcome(&self) -> CallOutcome {
        match self {
            Self::Refused(problem) => problem.outcome(),
            Self::Failed(Error::ConnectionReadTimeout) => CallOutcome::TimedOut,
            // The connection had been forgotten on its way, which says nothing about the target.
            Self::Failed(Error::ConnectionTerminated) => CallOutcome::Ignored,
            // The guest sent an invalid request.
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

    fn error_type(&self) -> &'static str {
        match self {
            Self::Refused(problem) => problem.slug(),
            Self::Failed(Error::ConnectionReadTimeout) => "timeout",
            Self::Failed(Error::ConnectionTimeout) => "connection_timeout",
            Self::Failed(Error::ConnectionRefused) => "connection_refused",
            Self::Failed(Error::ConnectionTerminated) => "connection_terminated",
            Self::Failed(Error::DestinationUnavailable) => "destination_unavailable",
            Self::Failed(_) => "_OTHER",
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
    use std::time::Duration;

    use http::header::RETRY_AFTER;

    use super::*;
    use crate::body::full;

    fn answered(status: u16) -> Response<WasiBody> {
        let mut response = Response::new(full(""));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    fn from_component(response: Response<WasiBody>) -> CallOutcome {
        outcome::<_, Problem>(&Ok(response))
    }

    #[test]
    fn an_error_of_the_client_is_no_failure() {
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
    fn a_reported_dependency_outage_is_ignored() {
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
        assert_eq!(
            outcome::<_, RemoteError>(&Ok(elsewhere)),
            CallOutcome::Failure
        );
    }

    #[test]
    fn an_injected_error_is_a_failure() {
        let component = "car".to_owned();
        let problem = Problem::FaultInjected { component };
        assert_eq!(
            outcome::<Response<WasiBody>, _>(&Err(problem)),
            CallOutcome::Failure
        );
    }

    #[test]
    fn a_forgotten_connection_is_ignored_and_a_broken_one_is_a_failure() {
        let failed = |error| outcome::<Response<WasiBody>, _>(&Err(RemoteError::Failed(error)));
        assert_eq!(failed(Error::ConnectionTerminated), CallOutcome::Ignored);
        for error in [Error::ConnectionRefused, Error::InternalError(None)] {
            assert_eq!(failed(error), CallOutcome::Failure);
        }
    }

    #[test]
    fn a_rejection_by_the_host_is_ignored() {
        let full = Problem::Overloaded {
            who: "car".to_owned(),
            retry_after: Duration::from_secs(1),
        };
        assert_eq!(
            outcome::<Response<WasiBody>, _>(&Err(full)),
            CallOutcome::Ignored
        );
    }
}
