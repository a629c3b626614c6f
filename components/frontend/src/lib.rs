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
    ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_conventions::etag::is_listed;
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
        Some(_) if *method == Method::OPTIONS => allow(bare(StatusCode::NO_CONTENT)),
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
    let etag = representation.etag();
    let mut response = if matches_tag(headers, &etag) {
        bare(StatusCode::NOT_MODIFIED)
    } else {
        let mut response = with_body(StatusCode::OK, asset.media_type, representation.content);
        if let Some(encoding) = representation.encoding {
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
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

/// Whether `If-None-Match` contains this tag or is `*` (RFC 9110, 13.1.2, with weak comparison).
fn matches_tag(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let mut lines = headers.get_all(IF_NONE_MATCH).iter();
    lines.any(|line| is_listed(line.as_bytes(), etag.as_bytes()))
}

fn problem(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = with_body(status, "application/problem+json", body.as_bytes());
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Every page may read that an address of the API is wrong, as it may read the answers of the API.
fn readable_by_any_page(mut response: Response<Bytes>) -> Response<Bytes> {
    let any = HeaderValue::from_static("*");
    response
        .headers_mut()
        .insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

fn allow(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(ALLOW, METHODS);
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

/// Removes the length together with the body: hosts of WASI HTTP reject a body that is shorter than announced.
fn without_body(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().remove(CONTENT_LENGTH);
    response.map(|_| Bytes::new())
}

#[cfg(test)]
mod tests;
