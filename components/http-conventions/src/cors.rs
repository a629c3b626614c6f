//! Cross-origin resource sharing: what a page of another origin may send and read.

/// The request headers that a page may send. No browser sends credentials with `*`, and nothing here depends on them;
/// `authorization` has to be named, and older browsers take `*` for a name.
pub const REQUEST_HEADERS: &str = "*, authorization, accept, baggage, cache-control, content-type, idempotency-key, \
    if-match, if-none-match, traceparent, tracestate, x-request-id, x-requested-with";
/// The response headers that a page may read.
pub const RESPONSE_HEADERS: &str = "allow, etag, link, location, retry-after, x-request-id";
/// The response headers of a problem of the platform itself that a page may read.
pub const PROBLEM_HEADERS: &str =
    "ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id";
/// The response headers by which a browser decides what a page of another origin may send and read.
pub const ACCESS_CONTROL_HEADERS: [&str; 5] = [
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];
