//! Requests and responses with their bodies in memory.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

/// A request with its body.
pub type Request = http::Request<Bytes>;
/// A response with its body.
pub type Response = http::Response<Bytes>;

/// A response with a JSON body.
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
