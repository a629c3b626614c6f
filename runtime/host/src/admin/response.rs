//! Responses of the admin listener: JSON, text, or a problem document.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use tracing::error;
use wasmtime_wasi_http::WasiBody;

use crate::body::full;
use crate::problem::document;
use event_log::LogError;

/// What a handler returns.
pub type AdminResponse = Result<Response<WasiBody>, AdminError>;

/// An error response, as a problem document.
#[derive(Clone, Debug)]
pub struct AdminError {
    status: StatusCode,
    slug: &'static str,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// 200 with this value as JSON.
///
/// # Errors
/// When the value cannot be serialized.
pub fn json(value: &impl Serialize) -> AdminResponse {
    let body = serde_json::to_vec(value).map_err(AdminError::internal)?;
    Ok(typed(HeaderValue::from_static("application/json"), body))
}

/// 200 with this text.
///
/// # Errors
/// Never; the type is that of [`json`].
pub fn text(content_type: &'static str, text: String) -> AdminResponse {
    Ok(typed(HeaderValue::from_static(content_type), text))
}

fn typed(content_type: HeaderValue, body: impl Into<Bytes>) -> Response<WasiBody> {
    let mut response = Response::new(full(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

// === impl AdminError ===

impl AdminError {
    /// 400: the request is malformed.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// 403: not for this client, or not enabled on this platform.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: the resource does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 503: too many connections.
    pub(super) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-clients",
            "all connections of the admin listener are in use; try again",
        )
    }

    /// 409: not in the present state of the resource.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 422: the request is well-formed and its values are invalid.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// 500: an error of the host; the cause is in its log.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        let error = format!("{:#}", error.into());
        error!(error, "admin request failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal", "the cause is in the log of the host")
    }

    /// 503: a dependency is unavailable.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    pub(super) fn unauthorized() -> Self {
        Self {
            header: Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "send the token of --admin-token, or the access token of an operator, as a bearer token",
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

    /// The problem document.
    pub fn into_response(self) -> Response<WasiBody> {
        let retry_after = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        let mut response = document(self.status, self.slug, &self.detail, retry_after);
        response.headers_mut().extend(self.header);
        response
    }
}

impl From<LogError> for AdminError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NoGroup(_) | LogError::Damaged(_) => Self::conflict(error.to_string()),
            error if error.is_unavailable() => Self::unavailable("the event log is unavailable"),
            error => Self::internal(error),
        }
    }
}
