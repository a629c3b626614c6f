//! Validators: the entity tag of a resource is its version, and the conditional requests that use it.

pub use http_conventions::etag::fingerprint;

use super::{
    message::{Request, Response},
    problem::Problem,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Adds the entity tag of `version` to a response.
#[must_use]
pub fn tagged(mut response: Response, version: u64) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&tag(version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The condition in `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// The condition of a request. A request without the header has a condition that is always met.
    #[must_use]
    pub fn from_request(request: &Request) -> Self {
        Self(list(request.headers(), &header::IF_MATCH))
    }

    /// Checks the condition against the version of the resource.
    ///
    /// # Errors
    ///
    /// 412 if the header does not contain the entity tag of `version`.
    pub fn check(&self, version: u64) -> Result<(), Problem> {
        match &self.0 {
            Some(tags) if !contains(tags, &tag(version)) => Err(Problem::precondition_failed()),
            _ => Ok(()),
        }
    }
}

/// Replaces a response whose entity tag is in the request's `If-None-Match` by 304.
pub(super) fn revalidate(request_headers: &HeaderMap, response: &mut Response) {
    let tags = list(request_headers, &header::IF_NONE_MATCH);
    let tag = response
        .headers()
        .get(header::ETAG)
        .and_then(|v| v.to_str().ok());
    if let (Some(tags), Some(tag)) = (tags, tag)
        && response.status() == StatusCode::OK
        && contains(&tags, tag)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
}

fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The value of a list header, whose lines are joined; `None` without the header.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name).iter();
    let texts: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    headers.contains_key(name).then(|| texts.join(","))
}

/// Whether a list of entity tags contains `tag`, or is `*`. Weak and strong tags are equal here: every
/// change of a representation changes the version.
fn contains(list: &str, tag: &str) -> bool {
    let strip = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|one| strip(one) == strip(tag))
}
