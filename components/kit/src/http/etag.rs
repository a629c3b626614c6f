//! Validators: the entity tag of a single resource is its version.

use super::{Problem, Request, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Tags an answer with the version it shows.
#[must_use]
pub fn tagged(mut response: Response, version: u64) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&tag(version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// What `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// The condition of a request; none is always met.
    #[must_use]
    pub fn from_request(request: &Request) -> Self {
        Self(list(request.headers(), &header::IF_MATCH))
    }

    /// Checks the condition against the resource's version.
    ///
    /// # Errors
    ///
    /// 412 when the client has seen another version.
    pub fn check(&self, version: u64) -> Result<(), Problem> {
        match &self.0 {
            Some(wanted) if !matches(wanted, &tag(version)) => Err(Problem::precondition_failed()),
            _ => Ok(()),
        }
    }
}

/// Turns an answer that the client already has into 304.
pub(super) fn revalidate(asked: &HeaderMap, response: &mut Response) {
    let wanted = list(asked, &header::IF_NONE_MATCH);
    let tag = response
        .headers()
        .get(header::ETAG)
        .and_then(|v| v.to_str().ok());
    if let (Some(wanted), Some(tag)) = (wanted, tag)
        && response.status() == StatusCode::OK
        && matches(&wanted, tag)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
}

fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The list in a header, which may be spread over several lines; `None` without any.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name).iter();
    let texts: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    headers.contains_key(name).then(|| texts.join(","))
}

/// Whether a list of entity tags names `tag`. Weak tags count, as our versions never differ in meaning only.
fn matches(list: &str, tag: &str) -> bool {
    let strip = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|one| strip(one) == strip(tag))
}
