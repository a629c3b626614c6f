//! HTTP requests of customers, contexts and sweeps.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use kit::http::Request;

/// A request with a JSON body, if the body is not empty.
pub fn request(
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Request {
    let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap_or_default();
    let json = ("content-type", "application/json");
    let json = (!body.is_empty()).then_some(json);
    for (name, value) in headers.iter().copied().chain(json) {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            request.headers_mut().insert(name, value);
        }
    }
    request
}
