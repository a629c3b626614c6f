//! The front end: one page, its style and its scripts, and the documents of the API, all compiled into the component.
//! The sources of the page are in `screen/`; what is built from them is in `assets/screen/`.
//!
//! It owns no state, accepts no command, publishes no event and reacts to none. The scripts call the public API of the
//! contexts from the browser; this component only serves the files. It also receives every path that no other component
//! has a route for, and answers 404: the commands between contexts (`/internal/…`) are not reachable from outside.

mod asset;
mod negotiation;
#[cfg(target_arch = "wasm32")]
mod spin;

use asset::Asset;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_conventions::cors::{REQUEST_HEADERS, RESPONSE_HEADERS};
use http_conventions::etag::{Evaluation, evaluate, fingerprint};
use http_conventions::forwarded_prefix::{FORWARDED_PREFIX, forwarded_prefix};
use negotiation::weight;

/// The methods of every file.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// The security headers of every response. The browser loads scripts and styles from our own files only, and
/// `require-trusted-types-for` makes it refuse to parse a string as markup: the name of a car cannot become a tag.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
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

/// Answers one request. Only the scripts of the page read the query, and no method here has a body.
pub fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response<Bytes> {
    let path = without_outer_slashes(path);
    let asset = match path {
        "/" if prefers_api(headers) => Some(Asset::entry_point()),
        path => Asset::at(path),
    };
    let encodings = asset.is_some_and(Asset::has_encodings);
    let mut response = match asset {
        None => readable_by_any_page(problem(
            StatusCode::NOT_FOUND,
            r#"{"type":"https://socar.dev/problems/not-found","title":"Not Found","status":404,"detail":"nothing is served at this path"}"#,
        )),
        Some(asset) if *method == Method::GET || *method == Method::HEAD => {
            let response = serve(asset, headers);
            match asset.is_public {
                true => readable_by_any_page(response),
                false => response,
            }
        }
        Some(asset) if *method == Method::OPTIONS => {
            let response = allow(bare(StatusCode::NO_CONTENT));
            // A preflight does not say whether its page wants the entry point of the API or the screen.
            match asset.is_public || path == "/" {
                true => requested_by_any_page(response),
                false => response,
            }
        }
        Some(_) => allow(problem(
            StatusCode::METHOD_NOT_ALLOWED,
            r#"{"type":"https://socar.dev/problems/method-not-allowed","title":"Method Not Allowed","status":405,"detail":"the screen can only be read: use GET or HEAD"}"#,
        )),
    };
    response.headers_mut().extend(SECURITY_HEADERS);
    let vary = match (path == "/", encodings) {
        (true, _) => Some("accept, accept-encoding"),
        (false, true) => Some("accept-encoding"),
        (false, false) => None,
    };
    if let Some(vary) = vary {
        response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static(vary));
    }
    if *method == Method::HEAD {
        without_body(response)
    } else {
        response
    }
}

/// The path with one slash at its beginning and none at its end, as routes are compared.
fn without_outer_slashes(path: &str) -> &str {
    let leading = path.len() - path.trim_start_matches('/').len();
    let end = path.trim_end_matches('/').len().max(leading);
    &path[leading.saturating_sub(1)..end]
}

/// Whether the client of the root is a program that follows links, and not a browser: it accepts JSON before HTML. Without
/// the header, the answer is the page.
fn prefers_api(headers: &HeaderMap) -> bool {
    let api = weight(
        headers,
        &ACCEPT,
        &["application/hal+json", "application/json"],
    );
    api > weight(headers, &ACCEPT, &["text/html", "application/xhtml+xml"])
}

fn serve(asset: &Asset, headers: &HeaderMap) -> Response<Bytes> {
    let representation = asset.representation(headers);
    let (content, etag) = match path_prefix(headers).filter(|_| asset.is_public) {
        Some(prefix) => {
            let content = with_prefix(representation.content, &prefix);
            let etag = asset::etag(fingerprint(content.as_bytes()));
            (Bytes::from(content), etag)
        }
        None => (
            Bytes::from_static(representation.content),
            representation.etag(),
        ),
    };
    let mut response = match evaluated(headers, &etag) {
        Evaluation::IfMatchFailed => {
            return problem(
                StatusCode::PRECONDITION_FAILED,
                r#"{"type":"https://socar.dev/problems/precondition-failed","title":"The resource has changed","status":412,"detail":"its version does not meet the condition in If-Match; read the resource again"}"#,
            );
        }
        Evaluation::IfNoneMatchFailed => bare(StatusCode::NOT_MODIFIED),
        Evaluation::Met => {
            let mut response = with_body(StatusCode::OK, asset.media_type, content);
            if let Some(encoding) = representation.encoding {
                response
                    .headers_mut()
                    .insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            response
        }
    };
    // The page names its files with the hash of their content. The page itself is revalidated at each use, and names other
    // files after an update; a file with a hash in its name is never requested twice.
    let caching = match asset.is_immutable {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response.headers_mut().insert(ETAG, etag);
    response
}

/// The path below which a proxy shows the platform.
fn path_prefix(headers: &HeaderMap) -> Option<String> {
    forwarded_prefix(headers.get(FORWARDED_PREFIX)?.to_str().ok()?)
}

/// A document whose links begin with the path prefix of a proxy.
fn with_prefix(content: &[u8], prefix: &str) -> String {
    let mut document = String::from_utf8_lossy(content).into_owned();
    for link in [r#""href": "/"#, r#""url": "/"#] {
        let before = link.trim_end_matches('/');
        document = document.replace(link, &format!("{before}{prefix}/"));
    }
    document
}

/// The conditions in `If-Match` and `If-None-Match` for a file with this tag.
fn evaluated(headers: &HeaderMap, etag: &HeaderValue) -> Evaluation {
    let lines = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    evaluate(lines(IF_MATCH), lines(IF_NONE_MATCH), etag.as_bytes())
}

fn problem(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = with_body(
        status,
        "application/problem+json",
        Bytes::from_static(body.as_bytes()),
    );
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Every page may read that an address of the API is wrong, as it may read the answers of the API.
fn readable_by_any_page(mut response: Response<Bytes>) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(RESPONSE_HEADERS),
    );
    response
}

/// Answers the preflight of a page that sends more than a plain GET, such as `traceparent`. The browser asks again after a
/// day.
fn requested_by_any_page(response: Response<Bytes>) -> Response<Bytes> {
    let mut response = readable_by_any_page(response);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(REQUEST_HEADERS),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn allow(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

fn with_body(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Removes the length together with the body: hosts of WASI HTTP reject a body that is shorter than announced.
fn without_body(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().remove(CONTENT_LENGTH);
    response.map(|_| Bytes::new())
}

#[cfg(test)]
mod tests;
