//! Requests and responses with their bodies in memory.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// A request with its body.
pub type Request = http::Request<Bytes>;
/// A response with its body.
pub type Response = http::Response<Bytes>;

/// A response with a JSON body.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "strings, numbers and string keys always serialise"
)]
pub fn json_response(
    status: StatusCode,
    media_type: &'static str,
    value: &impl Serialize,
) -> Response {
    let body = serde_json::to_vec(value).expect("a body is plain data");
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}
