//! Origins: which pages of other sites may use the platform, and read its answers.
//!
//! A browser sends a simple request of a page to any address, this machine included, and only keeps the answer from the
//! page. A request that changes something is therefore refused when a foreign page could have sent it without a
//! preflight. Answers name the origins of `allowed_origins`; on an open platform that only this machine reaches, every
//! page may read them.

use std::sync::Arc;

use ::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH, ORIGIN, VARY,
};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use config::policy::ListenerLimits;
use http_conventions::cors::ACCESS_CONTROL_HEADERS;

use crate::problem::Problem;

/// What a browser says of the page that sends a request (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that no page can set without a preflight, and that no proxy adds.
const PREFLIGHTED_HEADERS: [HeaderName; 4] = [
    AUTHORIZATION,
    IF_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-requested-with"),
];

/// The media types that a page can send without a preflight.
const SIMPLE_TYPES: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// Which pages may read the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadableBy {
    /// Those of every site: the platform is open, and only this machine reaches it.
    EveryPage,
    /// Those of this platform, and of `allowed_origins`.
    AllowedOrigins,
}

/// Where a request comes from, as far as a browser says so.
pub struct RequestOrigin {
    origin: Option<HeaderValue>,
    is_foreign: bool,
    listener: Arc<ListenerLimits>,
    readable_by: ReadableBy,
}

// === impl RequestOrigin ===

impl RequestOrigin {
    /// The origin of a request with these headers.
    pub fn of(
        headers: &HeaderMap,
        listener: &Arc<ListenerLimits>,
        readable_by: ReadableBy,
    ) -> Self {
        let origin = headers.get(ORIGIN).cloned();
        let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let is_foreign = match (&origin, site) {
            // A browser knows it, also behind a proxy that calls the platform by another name.
            (_, Some(b"same-origin" | b"none")) => false,
            (Some(origin), _) => !is_own(origin, headers),
            (None, Some(site)) => matches!(site, b"cross-site" | b"same-site"),
            (None, None) => false,
        };
        Self {
            origin,
            is_foreign,
            listener: listener.clone(),
            readable_by,
        }
    }

    /// Checks that no foreign page changes anything without a preflight.
    ///
    /// # Errors
    /// The problem, when one could have sent this request so.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match !is_safe && self.is_foreign && !self.is_allowed() && is_simple(headers) {
            true => Err(Problem::ForeignOrigin),
            false => Ok(()),
        }
    }

    /// Whether no page of another origin sends the request, not even one of `allowed_origins`.
    pub fn is_own(&self) -> bool {
        !self.is_foreign
    }

    /// Whether the operator has allowed the origin.
    fn is_allowed(&self) -> bool {
        let origin = self.origin.as_ref().and_then(|it| it.to_str().ok());
        let allowed = &self.listener.allowed_origins;
        origin.is_some_and(|origin| allowed.iter().any(|it| it == origin))
    }

    /// Sets the headers by which a browser decides which pages may read a response. Components and the host let every
    /// page read; this narrows it down.
    pub fn narrow(&self, headers: &mut HeaderMap) {
        if self.readable_by == ReadableBy::EveryPage
            || !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN)
        {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        match &self.origin {
            Some(origin) if !self.is_foreign || self.is_allowed() => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
            _ => {
                for name in ACCESS_CONTROL_HEADERS {
                    headers.remove(name);
                }
            }
        }
    }
}

/// Whether an origin is that of the platform itself, under the name by which the client knows it.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == host
}

/// Whether a page can send these headers without a preflight.
fn is_simple(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|it| it.split(';').next());
    let is_simple_type = essence.is_none_or(|essence| {
        let essence = essence.trim().to_ascii_lowercase();
        SIMPLE_TYPES.contains(&essence.as_str())
    });
    let is_preflighted = |name: &HeaderName| headers.contains_key(name);
    is_simple_type && !PREFLIGHTED_HEADERS.iter().any(is_preflighted)
}

#[cfg(test)]
mod tests {
    use ::http::header::ACCESS_CONTROL_EXPOSE_HEADERS;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let mut headers: HeaderMap = pairs.collect();
        headers.insert(HOST, HeaderValue::from_static("socar.example"));
        headers
    }

    fn allowing(origins: &[&str]) -> Arc<ListenerLimits> {
        Arc::new(ListenerLimits {
            allowed_origins: origins.iter().map(|it| (*it).to_owned()).collect(),
            ..ListenerLimits::default()
        })
    }

    fn is_refused(pairs: &[(&'static str, &'static str)]) -> bool {
        let headers = headers(pairs);
        let listener = allowing(&["https://shop.example"]);
        let origin = RequestOrigin::of(&headers, &listener, ReadableBy::EveryPage);
        assert!(origin.check(&Method::GET, &headers).is_ok());
        origin.check(&Method::POST, &headers).is_err()
    }

    #[test]
    fn a_foreign_page_changes_nothing_without_a_preflight() {
        let foreign = ("origin", "https://evil.example");
        assert!(is_refused(&[foreign]));
        assert!(is_refused(&[("origin", "null")]));
        assert!(is_refused(&[foreign, ("content-type", "text/plain")]));
        assert!(is_refused(&[
            foreign,
            ("content-type", "Text/Plain; charset=utf-8")
        ]));
        assert!(is_refused(&[("sec-fetch-site", "cross-site")]));
        assert!(is_refused(&[("sec-fetch-site", "same-site")]));
        assert!(is_refused(&[foreign, ("x-forwarded-for", "10.0.0.1")]));
        // Each of these needs a preflight.
        assert!(!is_refused(&[
            foreign,
            ("content-type", "application/json")
        ]));
        assert!(!is_refused(&[foreign, ("idempotency-key", "1")]));
        assert!(!is_refused(&[foreign, ("authorization", "Bearer x")]));
    }

    #[test]
    fn programs_the_own_page_and_allowed_pages_change_something() {
        assert!(!is_refused(&[]));
        assert!(!is_refused(&[("content-type", "text/plain")]));
        assert!(!is_refused(&[("origin", "https://shop.example")]));
        assert!(!is_refused(&[("origin", "https://socar.example")]));
        assert!(!is_refused(&[("sec-fetch-site", "same-origin")]));
        assert!(!is_refused(&[("sec-fetch-site", "none")]));
        assert!(is_refused(&[(
            "origin",
            "https://shop.example.evil.example"
        )]));
    }

    #[test]
    fn only_allowed_pages_read_the_answers() {
        let readable = |origin: &'static str, readable_by| {
            let listener = allowing(&["https://shop.example"]);
            let request = headers(&[("origin", origin)]);
            let mut response = headers(&[
                ("access-control-allow-origin", "*"),
                ("access-control-expose-headers", "etag"),
            ]);
            RequestOrigin::of(&request, &listener, readable_by).narrow(&mut response);
            let exposes = response.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS);
            let allowed = response.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned();
            assert_eq!(allowed.is_some(), exposes);
            allowed.map(|origin| origin.to_str().unwrap().to_owned())
        };
        let readable_by = ReadableBy::AllowedOrigins;
        for origin in ["https://shop.example", "https://socar.example"] {
            assert_eq!(readable(origin, readable_by).as_deref(), Some(origin));
        }
        assert_eq!(readable("https://evil.example", readable_by), None);
        let every = readable("https://evil.example", ReadableBy::EveryPage);
        assert_eq!(every.as_deref(), Some("*"));
    }
}
