//! Validators: the entity tag of a resource is its version, and the conditional requests that use it.
//!
//! Weak and strong tags are equal in both headers, other than RFC 9110 demands for `If-Match`: every change of a
//! representation changes the version, and a proxy that compresses answers makes their tags weak.

pub use http_conventions::etag::fingerprint;

use super::{
    message::{Request, Response},
    problem::Problem,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_conventions::etag::{Evaluation, evaluate};

/// Adds the entity tag of `version` to a response.
#[must_use]
pub fn tagged(mut response: Response, version: u64) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&tag(version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The conditions in `If-Match` and `If-None-Match` (RFC 9110, 13.1), for a resource that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Vec<HeaderValue>,
    if_none_match: Vec<HeaderValue>,
}

impl Preconditions {
    /// The conditions of a request that changes something. A header that is absent is a condition that is always met.
    #[must_use]
    pub fn from_request(request: &Request) -> Self {
        Self::from_headers(request.headers())
    }

    fn from_headers(headers: &HeaderMap) -> Self {
        let lines = |name: &HeaderName| headers.get_all(name).iter().cloned().collect();
        Self {
            if_match: lines(&header::IF_MATCH),
            if_none_match: lines(&header::IF_NONE_MATCH),
        }
    }

    /// Checks the conditions against the version of the resource.
    ///
    /// # Errors
    ///
    /// 412 if `If-Match` does not list the entity tag of `version`, or `If-None-Match` does.
    pub fn check(&self, version: u64) -> Result<(), Problem> {
        match self.evaluate(tag(version).as_bytes()) {
            Evaluation::Met => Ok(()),
            Evaluation::IfMatchFailed => Err(Problem::precondition_failed("If-Match")),
            Evaluation::IfNoneMatchFailed => Err(Problem::precondition_failed("If-None-Match")),
        }
    }

    fn evaluate(&self, tag: &[u8]) -> Evaluation {
        let [if_match, if_none_match] = [&self.if_match, &self.if_none_match]
            .map(|lines| lines.iter().map(HeaderValue::as_bytes));
        evaluate(if_match, if_none_match, tag)
    }
}

/// Applies the conditions of a GET to its response, if it has an entity tag: 412 if `If-Match` does not list the tag, 304
/// if `If-None-Match` does.
///
/// # Errors
///
/// 412.
pub(super) fn apply_conditions(
    request_headers: &HeaderMap,
    mut response: Response,
) -> Result<Response, Problem> {
    let tag = response.headers().get(header::ETAG).cloned();
    let Some(tag) = tag.filter(|_| response.status() == StatusCode::OK) else {
        return Ok(response);
    };
    match Preconditions::from_headers(request_headers).evaluate(tag.as_bytes()) {
        Evaluation::Met => {}
        Evaluation::IfMatchFailed => return Err(Problem::precondition_failed("If-Match")),
        Evaluation::IfNoneMatchFailed => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Bytes::new();
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
    }
    Ok(response)
}

fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

#[cfg(test)]
mod tests {
    use bolero::produce;
    use random_inputs::fragments;

    use super::*;

    #[test]
    fn any_precondition_is_evaluated() {
        let lines = || {
            let line = fragments(["W/", "\"", "*", ", ", "\"0\"", "\"3\"", "w/", "\u{80}"]);
            produce::<Vec<Vec<u8>>>()
                .with()
                .values(line)
                .len(0..4_usize)
        };
        let input = (lines(), lines(), produce::<u64>());
        bolero::check!()
            .with_generator(input)
            .for_each(|(if_match, if_none_match, version)| {
                let mut request = Request::default();
                for (name, lines) in [
                    (header::IF_MATCH, if_match),
                    (header::IF_NONE_MATCH, if_none_match),
                ] {
                    for value in lines.iter().flat_map(|line| HeaderValue::from_bytes(line)) {
                        request.headers_mut().append(&name, value);
                    }
                }
                if let Err(problem) = Preconditions::from_request(&request).check(*version) {
                    assert_eq!(problem.status, StatusCode::PRECONDITION_FAILED);
                }
            });
    }
}
