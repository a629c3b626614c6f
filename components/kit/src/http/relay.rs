//! Events and sweeps that come over HTTP: how `socar relay` gives a deployment on stock Spin what
//! the host gives elsewhere.
//!
//! `POST /<plural>/events` takes one event in the structured mode of the CloudEvents HTTP binding, and
//! any 2xx acknowledges it; `POST /<plural>/sweep` is the sweep. Both ask for the shared secret, and
//! without one configured neither exists.

use super::{Problem, Request, Response};
use http::{HeaderName, Method, StatusCode, header};

/// What the relay asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayRequest {
    /// The body is an event.
    Event,
    /// Finish what time alone must finish.
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

/// Lets the relay in, and nobody else.
///
/// # Errors
///
/// 404 where no secret is configured, 405 for another method than POST, 401 for a missing or wrong
/// secret.
pub fn authorize(request: &Request, secret: &str) -> Result<(), Problem> {
    if secret.is_empty() {
        let path = request.uri().path();
        return Err(Problem::not_found(format!("there is nothing at {path}")));
    }
    if request.method() != Method::POST {
        return Err(Problem::method_not_allowed("POST"));
    }
    let sent = request.headers().get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match sent.is_some_and(|sent| same(sent, secret.as_bytes())) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "The relay's secret is missing or wrong",
            "send Authorization: Bearer with the value of the variable relay_secret",
        )
        .header(HeaderName::from_static("www-authenticate"), "Bearer")),
    }
}

/// Answers the delivery of an event.
#[must_use]
pub fn acknowledge(path: &str, outcome: Result<(), String>) -> Response {
    match outcome {
        Ok(()) => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err(error) => Problem::unavailable(error, 1).into_response(path),
    }
}

/// Compares in a time that does not tell where the difference is.
fn same(sent: &[u8], secret: &[u8]) -> bool {
    let differences = sent.iter().zip(secret).fold(0, |all, (a, b)| all | (a ^ b));
    sent.len() == secret.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, authorization: &str, secret: &str) -> u16 {
        let mut request = Request::default();
        *request.method_mut() = method;
        let value = authorization.parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        authorize(&request, secret).map_or_else(|problem| problem.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_who_knows_the_secret_delivers() {
        assert_eq!(ask(Method::POST, "Bearer s3cret", "s3cret"), 200);
        for wrong in [
            "",
            "Bearer ",
            "Bearer s3cre",
            "Bearer s3crets",
            "Basic s3cret",
        ] {
            assert_eq!(ask(Method::POST, wrong, "s3cret"), 401, "{wrong}");
        }
        assert_eq!(ask(Method::GET, "Bearer s3cret", "s3cret"), 405);
    }

    #[test]
    fn without_a_secret_there_is_no_such_place() {
        assert_eq!(ask(Method::POST, "Bearer ", ""), 404);
    }

    #[test]
    fn the_relays_paths_are_no_resources() {
        assert_eq!(
            RelayRequest::from_path("/cars/events", "cars"),
            Some(RelayRequest::Event)
        );
        assert_eq!(
            RelayRequest::from_path("/cars/sweep/", "cars"),
            Some(RelayRequest::Sweep)
        );
        for other in ["/cars", "/cars/1", "/cars/1/events", "/messages/events"] {
            assert_eq!(RelayRequest::from_path(other, "cars"), None, "{other}");
        }
    }
}
