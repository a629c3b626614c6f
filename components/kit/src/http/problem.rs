//! Problem details (RFC 9457): `application/problem+json` with a stable `type` and a remedy.

pub use http_conventions::problem::MEDIA_TYPE;

use super::message::{Response, json_response};
use crate::{
    change_error::ChangeError, report::report, store::StoreError, unavailable::Unavailable,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_conventions::problem::TYPE_PREFIX;
use serde_json::{Value, json};

/// The end of the `type` of a stored value that cannot be read.
pub(crate) const CORRUPT_STATE: &str = "corrupt-state";

/// A problem, from which the response is made.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The end of `type`; stable, for use by programs.
    pub slug: &'static str,
    title: &'static str,
    detail: String,
    fields: Vec<(String, String)>,
    headers: Vec<(HeaderName, String)>,
    members: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem with this status and slug. `detail` says what happened and what to do.
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

    /// The same problem with another explanation.
    pub(crate) fn with_detail(self, detail: String) -> Self {
        Self { detail, ..self }
    }

    /// 400: the body is not valid JSON.
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

    /// 400: a query parameter with a single value is repeated.
    #[must_use]
    pub fn given_twice(parameter: &str) -> Self {
        Self::bad_query(parameter, format!("{parameter} is given twice"))
    }

    /// 415: the media type of the body is not supported.
    pub fn unsupported_media_type(found: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body's media type is not supported",
            format!("send application/json in UTF-8 instead of {found}"),
        )
        .header(HeaderName::from_static("accept"), "application/json")
    }

    /// 415: the content encoding of the body is not supported.
    pub fn unsupported_coding(found: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-content-encoding",
            "The body's encoding is not supported",
            format!("send the body as it is instead of as {found}"),
        )
        .header(header::ACCEPT_ENCODING, "identity")
    }

    /// 422: the value of a field is wrong. [`Self::field`] adds further wrong fields.
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

    /// 404: the resource does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such resource",
            detail,
        )
    }

    /// 405: the resource does not have this method; `allow` lists its methods.
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

    /// 413: the body is longer than `limit`, in bytes.
    #[must_use]
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload-too-large",
            "The body is too large",
            format!("a body may have up to {limit} bytes"),
        )
    }

    /// 409 with a slug and a title of its own.
    pub fn conflict(slug: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, slug, title, detail)
    }

    /// 412: the version of the resource does not meet the condition in `header`.
    #[must_use]
    pub fn precondition_failed(header: &str) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "The resource has changed",
            format!("its version does not meet the condition in {header}; read the resource again"),
        )
    }

    /// 503: a dependency is unavailable; a retry makes sense after `retry_after` seconds.
    pub fn unavailable(detail: impl Into<String>, retry_after: u64) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Something that is needed does not answer",
            detail,
        )
        .retry_after(retry_after)
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn field(mut self, field: &str, message: impl Into<String>) -> Self {
        self.fields.push((field.to_owned(), message.into()));
        self
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, &seconds.to_string())
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds a member to the problem document.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// The response; `instance` is the path of the request.
    #[must_use]
    pub fn into_response(self, instance: &str) -> Response {
        let mut body = json!({
            "type": format!("{TYPE_PREFIX}{}", self.slug),
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

/// 503: another context is unavailable; a retry may succeed.
impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        Self::unavailable(unavailable.message, unavailable.retry_after.unwrap_or(1))
    }
}

/// 503: the store is unavailable; a retry may succeed. The cause is for the operator alone.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        report(&error.to_string());
        Self::unavailable(
            "the data of this resource cannot be reached at the moment; try again",
            1,
        )
    }
}

/// The problem of a failed change; the context converts its own refusals.
impl<R: Into<Self>> From<ChangeError<R>> for Problem {
    fn from(error: ChangeError<R>) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Contended(_) => Self::unavailable(
                "too many requests change this resource at the moment; try again",
                1,
            ),
            ChangeError::Corrupt(..) => {
                report(&error.to_string());
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    CORRUPT_STATE,
                    "A stored value cannot be read",
                    "the stored state of this resource cannot be read; its operator has to repair it",
                )
            }
        }
    }
}
