//! What a wrong request is told: RFC 9457, `application/problem+json`, with a stable `type` and what
//! would be right.

use super::{Response, json_response};
use crate::{ChangeError, StoreError};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The start of every problem's `type`.
pub(super) const TYPE: &str = "https://socar.dev/problems/";

/// One refusal, ready to be shown.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The end of `type`: stable, so that programs may rely on it.
    pub slug: &'static str,
    title: &'static str,
    detail: String,
    fields: Vec<(String, String)>,
    headers: Vec<(HeaderName, String)>,
    members: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem of its own kind.
    pub fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            slug,
            title,
            detail: detail.into(),
            fields: Vec::new(),
            headers: Vec::new(),
            members: Vec::new(),
        }
    }

    /// 400: the body is no JSON.
    pub fn malformed_json(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed-json",
            "The body is not valid JSON",
            detail,
        )
    }

    /// 400: a query parameter is wrong.
    pub fn bad_query(parameter: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-query",
            "A query parameter is wrong",
            &detail,
        )
        .field(parameter, detail)
    }

    /// 400: a query parameter that stands for one value comes twice.
    #[must_use]
    pub fn given_twice(parameter: &str) -> Self {
        Self::bad_query(parameter, format!("{parameter} is given twice"))
    }

    /// 415: the body is in a form that is not understood.
    pub fn unsupported_media_type(found: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body's media type is not supported",
            format!("send application/json instead of {found}"),
        )
        .header(HeaderName::from_static("accept"), "application/json")
    }

    /// 415: the body is packed in a way that is not understood.
    pub fn unsupported_coding(found: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-content-encoding",
            "The body's encoding is not supported",
            format!("send the body as it is instead of as {found}"),
        )
        .header(header::ACCEPT_ENCODING, "identity")
    }

    /// 422: a field's value is wrong. Further wrong fields are added with [`Self::field`].
    pub fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-field",
            "A field's value is not acceptable",
            format!("{field}: {message}"),
        )
        .field(field, message)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such resource",
            detail,
        )
    }

    /// 405, with what is allowed instead.
    #[must_use]
    pub fn method_not_allowed(allow: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The resource does not have this method",
            format!("it has {allow}"),
        )
        .header(header::ALLOW, allow)
    }

    /// 413; `limit` is in bytes.
    #[must_use]
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload-too-large",
            "The body is too large",
            format!("a body may have up to {limit} bytes"),
        )
    }

    /// 409 of a kind of its own.
    pub fn conflict(slug: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, slug, title, detail)
    }

    /// 412: somebody else was faster.
    #[must_use]
    pub fn precondition_failed() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "The resource has changed",
            "the If-Match header names another version; read the resource again",
        )
    }

    /// 503: something that is needed does not answer; `retry_after` is in seconds.
    pub fn unavailable(detail: impl Into<String>, retry_after: u64) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Something that is needed does not answer",
            detail,
        )
        .retry_after(retry_after)
    }

    /// Names one more wrong field.
    #[must_use]
    pub fn field(mut self, field: &str, message: impl Into<String>) -> Self {
        self.fields.push((field.to_owned(), message.into()));
        self
    }

    /// Says after how many seconds another try makes sense.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, &seconds.to_string())
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds a member to the problem.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// The answer; `instance` is the path that was asked.
    #[must_use]
    pub fn into_response(self, instance: &str) -> Response {
        let mut body = json!({
            "type": format!("{TYPE}{}", self.slug),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "instance": instance,
        });
        if let Some((field, _)) = self.fields.first() {
            body["field"] = json!(field);
            let error =
                |(field, message): &(String, String)| json!({"field": field, "message": message});
            body["errors"] = self.fields.iter().map(error).collect();
        }
        for (name, value) in self.members {
            body[name] = value;
        }
        let mut response = json_response(self.status, MEDIA_TYPE, &body);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The store does not answer: nobody's fault, and worth another try.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.to_string(), 1)
    }
}

/// A refusal becomes the problem that its context says it is.
impl<R: Into<Self>> From<ChangeError<R>> for Problem {
    fn from(error: ChangeError<R>) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Contended(_) => Self::unavailable(error.to_string(), 1),
            ChangeError::Corrupt(..) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "corrupt-state",
                "A stored value cannot be read",
                error.to_string(),
            ),
        }
    }
}
