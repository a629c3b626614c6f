//! What the refusal of somebody else says besides its status: when to come again, whether it is one of
//! ours, and whether the request was sent at all.

use super::{Response, problem};
use http::{HeaderName, header};
use serde_json::Value;

/// Nobody is sent away for longer by a number that comes from elsewhere, in seconds.
const LONGEST: u64 = 60 * 60;

/// `socar` gives it to its own refusal of a call that reached nobody, and takes it away from whatever
/// others answer. Elsewhere nobody gives it, and nothing is known.
const NOT_SENT: HeaderName = HeaderName::from_static("socar-not-sent");

/// After how many seconds another try makes sense, if the answer says so: at least one, at most an
/// hour. A date is not understood; it would have to be compared with somebody else's clock.
#[must_use]
pub fn retry_after(response: &Response) -> Option<u64> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.clamp(1, LONGEST))
}

/// Whether this is the host's word that nobody has received the request.
#[must_use]
pub fn was_not_sent(response: &Response) -> bool {
    response.headers().contains_key(NOT_SENT)
}

/// The problem document of an answer, if it is one of ours and of this kind. A status alone can come
/// from whatever else listens at an address.
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
    let kind = document["type"].as_str()?.strip_prefix(problem::TYPE)?;
    (kind == slug).then_some(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Problem, json_response};
    use http::StatusCode;

    fn refused(retry_after: &str) -> Response {
        let mut response = Response::default();
        let value = retry_after.parse().unwrap();
        response.headers_mut().insert(header::RETRY_AFTER, value);
        response
    }

    #[test]
    fn seconds_are_passed_on_within_bounds() {
        for (said, understood) in [("7", 7), ("0", 1), ("3600", 3600), ("99999", 3600)] {
            assert_eq!(retry_after(&refused(said)), Some(understood), "{said}");
        }
    }

    #[test]
    fn what_is_no_number_of_seconds_says_nothing() {
        for said in ["soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(retry_after(&refused(said)), None, "{said}");
        }
        assert_eq!(retry_after(&Response::default()), None);
    }

    #[test]
    fn only_the_host_says_that_nothing_was_sent() {
        let mut refused = refused("1");
        assert!(!was_not_sent(&refused));
        let said = http::HeaderValue::from_static("true");
        refused.headers_mut().insert(NOT_SENT, said);
        assert!(was_not_sent(&refused));
    }

    #[test]
    fn only_our_own_problems_are_believed() {
        let ours = || {
            Problem::not_found("no car")
                .member("carId", 7)
                .into_response("/cars/7")
        };
        assert_eq!(problem(&ours(), "not-found").unwrap()["carId"], 7);
        assert_eq!(problem(&ours(), "car-not-available"), None);
        assert_eq!(problem(&Response::default(), "not-found"), None);

        let body = serde_json::from_slice(ours().body()).unwrap();
        let page = json_response(StatusCode::NOT_FOUND, "application/json", &body);
        assert_eq!(problem(&page, "not-found"), None);
        let theirs = serde_json::json!({"type": "https://elsewhere.example/not-found"});
        let theirs = json_response(StatusCode::NOT_FOUND, problem::MEDIA_TYPE, &theirs);
        assert_eq!(problem(&theirs, "not-found"), None);
    }
}
