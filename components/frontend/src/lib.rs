//! The one screen: a page, its style and its scripts, all compiled into the component.
//!
//! Owns no state, accepts no command, announces nothing, reacts to nothing. The page talks to the public API of the
//! contexts from the customer's browser; this component only hands it over. It also answers whatever no other
//! component claims, and that answer is 404: commands between contexts (`/internal/…`) do not exist from outside.

mod asset;
#[cfg(target_arch = "wasm32")]
mod spin;

use asset::Asset;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// What may be done with the screen: look at it.
const VERBS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// Sent with every answer. Scripts and styles come from our own files and from nowhere else, and `require-trusted-types-for`
/// makes the browser refuse to turn a string into markup: a car's name can never become a tag.
const PROTECTION: [(HeaderName, HeaderValue); 4] = [
    (
        http::header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
        ),
    ),
    (
        http::header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        http::header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Answers one request. The query is the page's own affair, and no verb here has a use for a body.
pub fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response<Bytes> {
    let mut response = match Asset::at(path) {
        None => problem(
            StatusCode::NOT_FOUND,
            r#"{"type":"https://socar.dev/problems/not-found","title":"Not Found","status":404,"detail":"nothing is served at this path"}"#,
        ),
        Some(asset) if *method == Method::GET || *method == Method::HEAD => serve(asset, headers),
        Some(_) if *method == Method::OPTIONS => allow(bare(StatusCode::NO_CONTENT)),
        Some(_) => allow(problem(
            StatusCode::METHOD_NOT_ALLOWED,
            r#"{"type":"https://socar.dev/problems/method-not-allowed","title":"Method Not Allowed","status":405,"detail":"the screen can only be read: use GET or HEAD"}"#,
        )),
    };
    response.headers_mut().extend(PROTECTION);
    if *method == Method::HEAD {
        without_body(response)
    } else {
        response
    }
}

fn serve(asset: &Asset, headers: &HeaderMap) -> Response<Bytes> {
    let etag = asset.etag();
    let mut response = if names(headers, &etag) {
        bare(StatusCode::NOT_MODIFIED)
    } else {
        with_body(StatusCode::OK, asset.media_type, asset.content)
    };
    // Names carry no version, so that two releases can serve one page while they change over: the browser keeps every
    // file, and asks each time whether it is still the one.
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(ETAG, etag);
    response
}

/// Whether `If-None-Match` names this tag (RFC 9110, 13.1.2: weak comparison, `*` names everything).
fn names(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
        })
}

fn problem(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = with_body(status, "application/problem+json", body.as_bytes());
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn allow(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(ALLOW, VERBS);
    response
}

fn with_body(status: StatusCode, media_type: &'static str, body: &'static [u8]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// The length leaves together with the body: hosts of WASI HTTP fail an answer whose body is not as long as announced.
fn without_body(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().remove(CONTENT_LENGTH);
    response.map(|_| Bytes::new())
}

#[cfg(test)]
mod tests;
