//! The responses that the host gives without a component.

use ::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
};
use ::http::{HeaderValue, Method, Request, Response, StatusCode};
use config::manifest::StaticResponse;
use http_conventions::cors::REQUEST_HEADERS;
use wasmtime_wasi_http::WasiBody;

use crate::body::full;
use crate::problem::Problem;

/// The response to a request for the server as a whole (RFC 9110, 9.3.7), as load balancers send it.
pub(super) fn server_options(method: &Method) -> Result<Response<WasiBody>, Problem> {
    if method != Method::OPTIONS {
        return Err(Problem::BadRequest);
    }
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let all = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    response.headers_mut().insert(ALLOW, all);
    Ok(response)
}

/// Whether the request is a CORS preflight request.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    let has_requested_method = request
        .headers()
        .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    has_requested_method && request.method() == Method::OPTIONS
}

/// Response to a preflight request during an overload. It allows the actual request, because only the response to that
/// request can carry `Retry-After`. A max age of 0 prevents the browser from caching this permission.
pub(super) fn preflight() -> Response<WasiBody> {
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "*"),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, "0"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The response to OPTIONS at a path of the host that no page of another origin may use.
pub(super) fn options(allowed: &'static str) -> Response<WasiBody> {
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

/// The response of a route that the manifest answers itself.
pub(super) fn fixed(fixed: &StaticResponse) -> Response<WasiBody> {
    let mut response = Response::new(full(fixed.body.clone()));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers.clone();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Older browsers take `*` for the name of a header, in an overload as at any other time.
    #[test]
    fn a_preflight_in_an_overload_allows_what_every_other_one_allows() {
        let response = preflight();
        assert_eq!(
            response.headers()[ACCESS_CONTROL_ALLOW_HEADERS],
            REQUEST_HEADERS
        );
    }
}
