//! The manners of the HTTP surface, the same in every context: what a wrong request is told, how a
//! resource is shown, when it has not changed.
//!
//! Everything here is values in, values out, so that a context's whole HTTP behaviour runs in a
//! native test. [`serve`] is the frame around a context's own handler.

pub mod body;
pub mod etag;
pub mod hal;
pub mod json;
pub mod paging;
pub mod problem;
pub mod relay;
pub mod upstream;

pub use problem::Problem;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// A request with its body read.
pub type Request = http::Request<Bytes>;
/// A response with its body at hand.
pub type Response = http::Response<Bytes>;

/// The largest body that a context reads, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;

/// What a path leads to, and what may be done there.
pub struct Route<R> {
    /// The resource.
    pub resource: R,
    /// Its methods; HEAD comes with GET, and OPTIONS is always answered.
    pub methods: &'static [Method],
}

/// Answers a request: finds the resource, checks the method, lets `handle` do the work, and adds
/// what every answer needs. Of a body that is too long, a part that is also too long will do.
pub async fn serve<R>(
    request: Request,
    route: impl FnOnce(&[&str]) -> Option<Route<R>>,
    handle: impl AsyncFnOnce(R, Request) -> Result<Response, Problem>,
) -> Response {
    let method = request.method().clone();
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let answer = match route(&segments) {
        None => Err(Problem::not_found(format!("there is nothing at {path}"))),
        Some(Route { methods, .. }) if method == Method::OPTIONS => Ok(options(methods)),
        Some(Route { methods, .. }) if !allows(methods, &method) => {
            Err(Problem::method_not_allowed(&allow_header(methods)))
        }
        Some(Route { resource, .. }) if request.body().len() > BODY_LIMIT => {
            drop(resource);
            Err(Problem::payload_too_large(BODY_LIMIT))
        }
        Some(Route { resource, .. }) => handle(resource, request).await,
    };
    let mut response = answer.unwrap_or_else(|problem| problem.into_response(&path));
    if method == Method::GET || method == Method::HEAD {
        etag::revalidate(&headers, &mut response);
    }
    finish_response(&method, &mut response);
    response
}

/// Adds what every answer to a request of this method needs; twice is once.
pub fn finish_response(method: &Method, response: &mut Response) {
    if method == Method::HEAD {
        *response.body_mut() = Bytes::new();
    }
    // Known length: no host has to send the body in chunks. It leaves together with the body, as hosts
    // of WASI HTTP fail an answer whose body is not as long as announced.
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    allow_any_origin(headers);
    if !response.body().is_empty() {
        let length = HeaderValue::from(response.body().len());
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
    }
}

/// A JSON answer.
#[must_use]
pub fn json_response(
    status: StatusCode,
    media_type: &'static str,
    value: &serde_json::Value,
) -> Response {
    let mut response = Response::new(Bytes::from(value.to_string()));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// Scheme and authority under which the client knows us, for absolute links; empty if unknown.
#[must_use]
pub fn base_url(request: &Request) -> String {
    let text = |name: &str| request.headers().get(name)?.to_str().ok();
    let known = |scheme: &str| match scheme {
        "https" => Some("https"),
        "http" => Some("http"),
        _ => None,
    };
    let scheme = text("x-forwarded-proto").and_then(known);
    let scheme = scheme.or_else(|| request.uri().scheme_str().and_then(known));
    let scheme = scheme.unwrap_or("http");
    let authority = text("x-forwarded-host")
        .or_else(|| text("host"))
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .filter(|host| {
            host.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
        });
    authority.map_or_else(String::new, |authority| format!("{scheme}://{authority}"))
}

fn allows(methods: &[Method], method: &Method) -> bool {
    methods.contains(method) || (method == Method::HEAD && methods.contains(&Method::GET))
}

fn allow_header(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if methods.contains(&Method::GET) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ")
}

/// The answer to OPTIONS, which is also the answer to a browser's preflight.
fn options(methods: &[Method]) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(methods) = HeaderValue::from_str(&allow_header(methods)) {
        headers.insert(header::ALLOW, methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "accept, content-type, if-match, if-none-match, idempotency-key, traceparent, x-request-id",
        ),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    );
    response
}

/// Lets every page in a browser read the answer: nothing here depends on cookies.
fn allow_any_origin(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("allow, etag, link, location, retry-after, x-request-id"),
    );
}

#[cfg(test)]
mod tests;
