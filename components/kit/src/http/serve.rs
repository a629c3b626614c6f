//! The frame around the handlers of a context: routing, methods, the body limit, conditional GET, CORS.

use super::{
    body::BODY_LIMIT,
    cors::{self, Readers},
    etag,
    message::{Request, Response},
    path,
    problem::Problem,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use std::pin::Pin;

/// The future of a response. A route creates it, and it does nothing until it is awaited.
pub type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + 'a>>;

/// The methods that a route can have, in the order of `Allow`. GET includes HEAD; OPTIONS is always served.
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// The header that lists the media types of a PATCH (RFC 5789, 3.1).
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const PATCH_TYPES: HeaderValue =
    HeaderValue::from_static("application/merge-patch+json, application/json");

/// Serves a request: finds the route of its method and path, checks the size of the body, awaits the response, and
/// adds the headers that every response has. A body longer than [`BODY_LIMIT`] may be passed truncated, if the rest
/// is still longer than the limit.
///
/// `route` returns the future of the response to a method and the segments of a path, or `None` when there is no such
/// route. For a path without a route for the method, it is called with every other method, to tell 404 from 405.
pub async fn serve<'a>(
    request: &Request,
    route: impl Fn(&Method, &[&str]) -> Option<ResponseFuture<'a>>,
) -> Response {
    let method = request.method();
    let path = request.uri().path();
    let segments = path::segments(path);
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let routed_method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let result = match route(routed_method, &segments) {
        Some(_) if request.body().len() > BODY_LIMIT => Err(Problem::payload_too_large(BODY_LIMIT)),
        Some(response) => response.await,
        None => {
            let is_allowed = |method: &&Method| route(method, &segments).is_some();
            let allowed: Vec<&Method> = METHODS.iter().filter(is_allowed).collect();
            without_route(method, path, &allowed)
        }
    };
    let result = match *routed_method {
        Method::GET => result.and_then(|found| etag::apply_conditions(request.headers(), found)),
        _ => result,
    };
    let mut response = result.unwrap_or_else(|problem| problem.into_response(path));
    if *method == Method::PATCH && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        response.headers_mut().insert(ACCEPT_PATCH, PATCH_TYPES);
    }
    finish_response(method, Readers::EveryPage, &mut response);
    response
}

/// The response to a method without a route: a path without any route is unknown.
fn without_route(method: &Method, path: &str, allowed: &[&Method]) -> Result<Response, Problem> {
    if allowed.is_empty() {
        Err(Problem::not_found(format!("there is nothing at {path}")))
    } else if method == Method::OPTIONS {
        Ok(options(allowed))
    } else {
        Err(Problem::method_not_allowed(&allow_header(allowed)))
    }
}

/// Adds what every response to a request of this method has, for these readers. Idempotent.
pub fn finish_response(method: &Method, readers: Readers, response: &mut Response) {
    if method == Method::HEAD {
        *response.body_mut() = Bytes::new();
    }
    // With a known length, no host has to send the body in chunks. A response without a body must not
    // announce a length: hosts of WASI HTTP reject a body that is shorter than announced.
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    if length > 0 {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    cors::allow_any_origin(headers);
    cors::narrow_to(readers, headers);
}

/// The value of `Allow`.
fn allow_header(methods: &[&Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    if methods.contains(&&Method::GET) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ")
}

/// The response to OPTIONS, which includes the preflight of a browser.
fn options(methods: &[&Method]) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let methods_include_patch = methods.contains(&&Method::PATCH);
    if let Ok(methods) = HeaderValue::from_str(&allow_header(methods)) {
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, methods.clone());
        if methods_include_patch {
            headers.insert(ACCEPT_PATCH, PATCH_TYPES);
        }
        cors::allow_methods(headers, methods);
    }
    response
}

#[cfg(test)]
mod tests;
