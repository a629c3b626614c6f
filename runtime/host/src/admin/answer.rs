//! What operators are told: JSON, text for programs that want text, or a problem document.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use tracing::error;
use wasmtime_wasi_http::WasiBody;

use crate::problem::{document, full};
use event_log::LogError;

/// What a handler says.
pub type Answer = Result<Response<WasiBody>, Refusal>;

/// Why an operator does not get what was asked for.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: StatusCode,
    slug: &'static str,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// 200 with this object.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn json(value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).map_err(Refusal::internal)?;
    Ok(typed(HeaderValue::from_static("application/json"), body))
}

/// 200 with this text.
///
/// # Errors
/// Never; it shares its type with [`json`].
pub fn text(content_type: &'static str, text: String) -> Answer {
    Ok(typed(HeaderValue::from_static(content_type), text))
}

fn typed(content_type: HeaderValue, body: impl Into<Bytes>) -> Response<WasiBody> {
    let mut response = Response::new(full(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

// === impl Refusal ===

impl Refusal {
    /// 400: the request makes no sense.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// 403: not from here, or not on this platform.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 409: not while things are as they are.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 422: understood, and it cannot be.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// 500: the host's own fault; the log says more than the operator is told.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        let error = format!("{:#}", error.into());
        error!(error, "an operator's request failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal", "the log of the host says why")
    }

    /// 503: later, perhaps.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    pub(super) fn unauthorized() -> Self {
        Self {
            header: Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "show the token of --admin-token as a bearer token",
            )
        }
    }

    pub(super) fn too_long(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload-too-large",
            format!("the body is longer than {limit} bytes"),
        )
    }

    pub(super) fn method_not_allowed(allowed: &str) -> Self {
        Self {
            header: HeaderValue::try_from(allowed)
                .ok()
                .map(|allowed| (ALLOW, allowed)),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                format!("allowed here: {allowed}"),
            )
        }
    }

    fn new(status: StatusCode, slug: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            slug,
            detail: detail.into(),
            header: None,
        }
    }

    /// As a problem document.
    pub fn response(self) -> Response<WasiBody> {
        let retry_after = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        let mut response = document(self.status, self.slug, &self.detail, retry_after);
        response.headers_mut().extend(self.header);
        response
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        match error.is_unavailable() {
            true => Self::unavailable("the event log is away"),
            false => Self::internal(error),
        }
    }
}
