//! Recognising the response of a context.

use kit::{Unavailable, http::Response};
use serde_json::Value;

/// The answer of a context, which can be a refusal `R`; or none. A refusal is an answer: the context works.
pub type Answer<T, R> = Result<Result<T, R>, Unavailable>;

/// The body of a response, if its field `name` is the number of the request.
pub(crate) fn body_about(name: &str, number: u64, response: &Response) -> Option<Value> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    (body[name] == number).then_some(body)
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! Responses of servers other than the context.

    use super::*;
    use bytes::Bytes;
    use http::StatusCode;
    use kit::http::{Problem, hal};
    use serde_json::json;

    /// A page of a server that is no context.
    pub fn html(status: StatusCode) -> Response {
        let mut response = Response::new(Bytes::from_static(b"<h1>hello</h1>"));
        *response.status_mut() = status;
        response
    }

    /// HTML pages, and problem documents of other services of this platform.
    pub fn foreign_responses(status: StatusCode, slug: &'static str) -> Vec<Response> {
        let other = Problem::new(status, "other", "Other", "of another service");
        let unknown_path = Problem::new(status, "not-found", "Not Found", "nothing is served here");
        let ours = Problem::new(status, slug, "Ours", "but not as a problem");
        let mut untyped = ours.into_response("/");
        let json = http::HeaderValue::from_static("application/json");
        untyped.headers_mut().insert("content-type", json);
        let mut empty = hal::found(&json!({}));
        *empty.status_mut() = status;
        vec![
            html(status),
            empty,
            untyped,
            other.into_response("/"),
            unknown_path.into_response("/"),
        ]
    }
}
