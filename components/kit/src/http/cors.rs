//! Cross-origin resource sharing: every page may call an open platform and read its responses, as nothing here depends on
//! cookies.

use http::{HeaderMap, HeaderValue, header};
use http_conventions::cors::{ACCESS_CONTROL_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS};

/// One day, in seconds.
const PREFLIGHT_MAX_AGE: &str = "86400";

/// The pages that may read a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Pages of every origin.
    EveryPage,
    /// Pages of the platform itself. A proxy in front may allow others.
    OwnPages,
}

/// Permits pages of every origin to read the response, with the headers that it names or else those of the API.
pub(super) fn allow_any_origin(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers
        .entry(header::ACCESS_CONTROL_EXPOSE_HEADERS)
        .or_insert(HeaderValue::from_static(RESPONSE_HEADERS));
}

/// Answers a preflight: `methods` is the value of `Allow`.
pub(super) fn allow_methods(headers: &mut HeaderMap, methods: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(REQUEST_HEADERS),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static(PREFLIGHT_MAX_AGE),
    );
}

/// Takes back what permits pages of other origins to read the response, unless every page may.
pub(super) fn narrow_to(readers: Readers, headers: &mut HeaderMap) {
    if readers == Readers::EveryPage {
        return;
    }
    for name in ACCESS_CONTROL_HEADERS {
        headers.remove(name);
    }
}
