//! The response of an upstream service: its `Retry-After`, its problem document, and whether the request
//! was sent to it at all.

use super::message::Response;
use crate::unavailable::{Effect, Unavailable};
use http::{HeaderName, StatusCode, header};
use http_conventions::{headers::NOT_SENT, problem};
use serde_json::Value;

/// The longest `Retry-After` that is passed on, in seconds.
const MAX_RETRY_AFTER: u64 = 60 * 60;

/// The `Retry-After` of a response in seconds, from 1 to 3600. `None` without the header, and for a date,
/// which would have to be compared with the clock of another machine.
#[must_use]
pub fn retry_after(response: &Response) -> Option<u64> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.clamp(1, MAX_RETRY_AFTER))
}

/// Whether the response is the host's own, to a request that it did not send to any service. Stock Spin
/// never marks such a response.
#[must_use]
pub fn was_not_sent(response: &Response) -> bool {
    let not_sent = HeaderName::from_static(NOT_SENT);
    response.headers().contains_key(not_sent)
}

/// The failure of a call to `context` whose response is an error, or not recognisable as the context's. The effect of
/// the call is unknown.
#[must_use]
pub fn unexpected(context: &str, response: &Response) -> Unavailable {
    Unavailable {
        message: format!("the {context} context answered {}", response.status()),
        retry_after: retry_after(response),
        effect: match response.status() {
            StatusCode::GATEWAY_TIMEOUT => Effect::TimedOut,
            _ => Effect::Unknown,
        },
    }
}

/// The problem document of a response, if it is a problem of this platform with this slug. A status
/// alone proves nothing: another service may listen at the address.
#[must_use]
pub fn problem(response: &Response, slug: &str) -> Option<Value> {
    let media_type = response
        .headers()
        .get(header::CONTENT_TYPE)?
        .to_str()
        .ok()?;
    let essence = media_type.split(';').next()?.trim();
    if !essence.eq_ignore_ascii_case(problem::MEDIA_TYPE) {
        return None;
    }
    let document: Value = serde_json::from_slice(response.body()).ok()?;
    let found = document["type"]
        .as_str()?
        .strip_prefix(problem::TYPE_PREFIX)?;
    (found == slug).then_some(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Problem, json_response};
    use http::HeaderValue;

    fn response(retry_after: &str) -> Response {
        let mut response = Response::default();
        let value = retry_after.parse().unwrap();
        response.headers_mut().insert(header::RETRY_AFTER, value);
        response
    }

    #[test]
    fn retry_after_is_passed_on_within_bounds() {
        for (sent, passed_on) in [("7", 7), ("0", 1), ("3600", 3600), ("99999", 3600)] {
            assert_eq!(retry_after(&response(sent)), Some(passed_on), "{sent}");
        }
    }

    #[test]
    fn retry_after_without_a_number_of_seconds_is_ignored() {
        for sent in ["soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(retry_after(&response(sent)), None, "{sent}");
        }
        assert_eq!(retry_after(&Response::default()), None);
    }

    #[test]
    fn only_a_marked_response_means_that_nothing_was_sent() {
        let mut response = response("1");
        assert!(!was_not_sent(&response));
        let value = HeaderValue::from_static("true");
        response.headers_mut().insert(NOT_SENT, value);
        assert!(was_not_sent(&response));
    }

    #[test]
    fn only_problems_of_the_platform_are_accepted() {
        let ours = || {
            Problem::not_found("no car")
                .member("carId", 7)
                .into_response("/cars/7")
        };
        assert_eq!(problem(&ours(), "not-found").unwrap()["carId"], 7);
        assert_eq!(problem(&ours(), "car-not-available"), None);
        assert_eq!(problem(&Response::default(), "not-found"), None);

        let body: serde_json::Value = serde_json::from_slice(ours().body()).unwrap();
        let page = json_response(StatusCode::NOT_FOUND, "application/json", &body);
        assert_eq!(problem(&page, "not-found"), None);
        let foreign = serde_json::json!({"type": "https://other.example/not-found"});
        let foreign = json_response(StatusCode::NOT_FOUND, problem::MEDIA_TYPE, &foreign);
        assert_eq!(problem(&foreign, "not-found"), None);
    }
}
