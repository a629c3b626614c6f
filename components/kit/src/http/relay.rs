//! The endpoints of `socar relay`, which delivers events and calls sweeps over HTTP on stock Spin.
//!
//! `POST /<plural>/events` takes one event in the structured mode of the CloudEvents HTTP binding; its answer names the
//! outcome in the header `socar-delivery`. `POST /<plural>/sweep` is the sweep. Both require a platform token that is signed with
//! the shared secret, and both are absent while no secret is configured.

use super::{
    bearer::{self, Receiver},
    message::{Request, Response},
    problem::Problem,
};
use crate::event_failure::EventFailure;
use http::{HeaderValue, Method, StatusCode};
use http_conventions::delivery::{OUTCOME, Outcome};
use platform_token::SigningKeys;

/// The kinds of requests that the relay sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayRequest {
    /// The delivery of one event, in the body.
    Event,
    /// The call of the sweep.
    Sweep,
}

impl RelayRequest {
    /// The relay request of this path below the resources named `plural`; `None` for any other path.
    #[must_use]
    pub fn from_path(path: &str, plural: &str) -> Option<Self> {
        match path.trim_matches('/').split_once('/') {
            Some((first, "events")) if first == plural => Some(Self::Event),
            Some((first, "sweep")) if first == plural => Some(Self::Sweep),
            _ => None,
        }
    }
}

/// The variable with the signing keys of the relay.
pub const SECRET: &str = "relay_secret";

/// Authorizes a request of the relay. `secret` is the configured secret, empty if there is none.
///
/// # Errors
///
/// 404 without a configured secret, 405 for another method than POST, 401 for a missing or wrong token.
pub fn authorize(request: &Request, secret: &str, receiver: Receiver) -> Result<(), Problem> {
    if request.method() != Method::POST && SigningKeys::read(secret).is_some() {
        return Err(Problem::method_not_allowed("POST"));
    }
    bearer::authorize(request, SECRET, secret, receiver)
}

/// The response to the delivery of an event ([`http_conventions::delivery`]).
#[must_use]
pub fn acknowledge(path: &str, outcome: Result<(), EventFailure>) -> Response {
    let (outcome, mut response) = match outcome {
        Ok(()) => (Outcome::Handled, no_content()),
        Err(failure) => {
            let (outcome, problem) = problem(failure);
            (outcome, problem.into_response(path))
        }
    };
    let name = HeaderValue::from_static(outcome.name());
    response.headers_mut().insert(OUTCOME, name);
    response
}

fn no_content() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn problem(failure: EventFailure) -> (Outcome, Problem) {
    match failure {
        EventFailure::Unavailable(cause) => (Outcome::Unavailable, Problem::unavailable(cause, 1)),
        EventFailure::Rejected(cause) => {
            let problem = Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "event-rejected",
                "The event is malformed",
                cause,
            );
            (Outcome::Rejected, problem)
        }
        EventFailure::Failed(cause) => {
            let problem = Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "event-failed",
                "The event was not handled",
                cause,
            );
            (Outcome::Failed, problem)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    const NOW: u64 = 1_764_400_000;

    fn status(method: Method, authorization: &str, secret: &str) -> u16 {
        let mut request = Request::default();
        *request.method_mut() = method;
        let value = authorization.parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        let receiver = Receiver {
            context: "car",
            now: NOW,
        };
        let authorized = authorize(&request, secret, receiver);
        authorized.map_or_else(|problem| problem.status.as_u16(), |()| 200)
    }

    fn bearer(key: &str, context: &str, now: u64) -> String {
        let keys = SigningKeys::read(key).unwrap();
        format!("Bearer {}", keys.sign(context, now))
    }

    #[test]
    fn only_a_post_with_a_token_for_this_context_is_authorized() {
        let right = bearer("s3cret", "car", NOW);
        assert_eq!(status(Method::POST, &right, "s3cret"), 200);
        assert_eq!(status(Method::POST, &right, "new\ns3cret\n"), 200);
        for wrong in [
            "",
            "Bearer ",
            "Bearer s3cret",
            &bearer("s3cre", "car", NOW),
            &bearer("s3cret", "payment", NOW),
            &bearer("s3cret", "car", NOW - 121),
            &right.replace("Bearer", "Basic"),
        ] {
            assert_eq!(status(Method::POST, wrong, "s3cret"), 401, "{wrong}");
        }
        assert_eq!(status(Method::GET, &right, "s3cret"), 405);
    }

    #[test]
    fn the_endpoints_are_absent_without_a_secret() {
        assert_eq!(status(Method::POST, "Bearer ", ""), 404);
        assert_eq!(status(Method::POST, "Bearer ", "\n"), 404);
    }

    #[test]
    fn an_answer_names_the_outcome_of_the_delivery() {
        let response = |failure| acknowledge("/cars/events", Err(failure));
        let text = || "why".to_owned();
        let handled = acknowledge("/cars/events", Ok(()));
        assert_eq!(
            (handled.status().as_u16(), &handled.headers()[OUTCOME]),
            (204, &HeaderValue::from_static("handled"))
        );
        for (failure, outcome) in [
            (EventFailure::Unavailable(text()), "unavailable"),
            (EventFailure::Rejected(text()), "rejected"),
            (EventFailure::Failed(text()), "failed"),
        ] {
            assert_eq!(response(failure).headers()[OUTCOME], outcome);
        }
        let waits = response(EventFailure::Unavailable(text()));
        assert_eq!(
            (waits.status().as_u16(), &waits.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        assert_eq!(response(EventFailure::Rejected(text())).status(), 422);
        let failed = response(EventFailure::Failed(text()));
        assert_eq!(failed.status(), 500);
        assert!(!failed.headers().contains_key("retry-after"));
    }

    #[test]
    fn the_paths_of_the_relay_are_no_resources() {
        let request = |path| RelayRequest::from_path(path, "cars");
        assert_eq!(request("/cars/events"), Some(RelayRequest::Event));
        assert_eq!(request("/cars/sweep/"), Some(RelayRequest::Sweep));
        for other in ["/cars", "/cars/1", "/cars/1/events", "/messages/events"] {
            assert_eq!(request(other), None, "{other}");
        }
    }
}
