//! The frame around the handler of a context: routing, methods, the body limit, conditional GET, CORS.

use super::{
    body::BODY_LIMIT,
    cors, etag,
    message::{Request, Response},
    problem::Problem,
};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};

/// The resource of a path, and its methods.
pub struct Route<R> {
    /// The resource.
    pub resource: R,
    /// The methods of the resource. GET includes HEAD; OPTIONS is always served.
    pub methods: &'static [Method],
}

/// Serves a request: finds the resource, checks the method and the size of the body, calls `handle`, and
/// adds the headers that every response has. A body longer than [`BODY_LIMIT`] may be passed truncated, if
/// the rest is still longer than the limit.
pub async fn serve<R>(
    request: Request,
    route: impl FnOnce(&[&str]) -> Option<Route<R>>,
    handle: impl AsyncFnOnce(R, Request) -> Result<Response, Problem>,
) -> Response {
    let method = request.method().clone();
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let result = match route(&segments) {
        None => Err(Problem::not_found(format!("there is nothing at {path}"))),
        Some(Route { methods, .. }) if method == Method::OPTIONS => Ok(options(methods)),
        Some(Route { methods, .. }) if !allows(methods, &method) => {
            Err(Problem::method_not_allowed(&allow_header(methods)))
        }
        Some(_) if request.body().len() > BODY_LIMIT => Err(Problem::payload_too_large(BODY_LIMIT)),
        Some(Route { resource, .. }) => handle(resource, request).await,
    };
    let mut response = result.unwrap_or_else(|problem| problem.into_response(&path));
    if method == Method::GET || method == Method::HEAD {
        etag::revalidate(&headers, &mut response);
    }
    finish_response(&method, &mut response);
    response
}

/// Adds what every response to a request of this method has. Idempotent.
pub fn finish_response(method: &Method, response: &mut Response) {
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
}

fn allows(methods: &[Method], method: &Method) -> bool {
    methods.contains(method) || (method == Method::HEAD && methods.contains(&Method::GET))
}

/// The value of `Allow`.
fn allow_header(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if methods.contains(&Method::GET) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ")
}

/// The response to OPTIONS, which includes the preflight of a browser.
fn options(methods: &[Method]) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(methods) = HeaderValue::from_str(&allow_header(methods)) {
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, methods.clone());
        cors::allow_methods(headers, methods);
    }
    response
}

#[cfg(test)]
mod tests;
