//! The problem responses of the host, as `application/problem+json` (RFC 9457).
//!
//! They are for calls that no guest responded to. The response of a guest is never changed.

use std::sync::Arc;
use std::time::Duration;

use access_token::TokenError;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_conventions::authentication::Refusal;
use http_conventions::cors::PROBLEM_HEADERS;
use serde::Serialize;
use wasmtime_wasi_http::WasiBody;

use crate::body::full;

/// The limit of a client and what is left of it (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The seconds after which a client may look for a free place to listen for changes.
const LISTENER_RETRY: u64 = 15;

/// Why the host, and not a component, responds to a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No route matches the path.
    #[error("nothing is served at this path")]
    NotFound,
    /// The request is malformed: `Host` is missing, malformed or contradicts the URI, or the authority has user information.
    #[error("the Host header is malformed or contradicts the address")]
    BadRequest,
    /// The body of the request is encoded for its way in a form that the host does not decode.
    #[error("the body has another transfer coding than chunked: send it without")]
    TransferCoding,
    /// The stored response of a fallback is not the one that the client expects.
    #[error("its version does not meet the condition in If-Match; read the resource again")]
    PreconditionFailed,
    /// The host's own paths are read-only.
    #[error("this path can only be read")]
    MethodNotAllowed,
    /// The body is longer than the limit in the component's policy.
    #[error("the body is longer than {limit} bytes")]
    PayloadTooLarge {
        /// The longest allowed body, in bytes.
        limit: u64,
    },
    /// The client did not send the complete request in time.
    #[error("the request did not arrive in time")]
    RequestTimeout,
    /// The body ended early.
    #[error("the body ended before it was complete")]
    BodyIncomplete,
    /// Too many clients at once: connections, or buffered bodies.
    #[error("the platform serves as many clients as it can")]
    TooManyClients,
    /// The request has no access token.
    #[error("{}", Refusal::<TokenError>::TokenRequired)]
    TokenRequired,
    /// The access token is refused.
    #[error("{0}")]
    InvalidToken(#[from] TokenError),
    /// The access token gives no role on this platform.
    #[error("{}", Refusal::<TokenError>::RoleRequired)]
    RoleRequired,
    /// The client sends too many requests.
    #[error("this client sends more than {rate} requests a second")]
    TooManyRequests {
        /// The requests that it may send in a second.
        rate: u32,
        /// The requests that it may send at once.
        burst: u32,
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// The client has sent as many bytes to be kept as it may send in an hour.
    #[error(
        "this client has sent more than {budget} bytes in an hour with requests that change something"
    )]
    TooManyBytes {
        /// The bytes that it may send in an hour.
        budget: u64,
        /// The bytes that are left, which do not suffice for the request.
        left: u64,
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// The client has too many requests in progress.
    #[error("this client has {most} requests in progress, which is the most")]
    TooManyInFlight {
        /// The most requests in progress.
        most: usize,
    },
    /// A page of another site could have sent the request, which changes something, without the consent of its user.
    #[error(
        "a page of another origin sends this: add the origin to allowed_origins, or send JSON, or a header such as X-Requested-With"
    )]
    ForeignOrigin,
    /// The keys of the issuer could not be fetched yet.
    #[error("{}", Refusal::<TokenError>::Unavailable)]
    IdentityUnavailable,
    /// As many clients listen for changes as may.
    #[error("as many clients listen for changes as may: poll until a place is free")]
    TooManyListeners,
    /// A client asks for the changes after a position that the log does not have, or that is too old.
    #[error(
        "the log has not all changes after this position any more, or too many of them: fetch the data again, and listen without Last-Event-ID"
    )]
    PositionGone,
    /// A caller that is no user listens for changes.
    #[error("changes are sent to users only: use the access token of one")]
    UsersOnly,
    /// A user who is no operator steers the platform.
    #[error("only operators steer the platform: use an access token with the role operator")]
    OperatorOnly,
    /// The event log did not answer, or the host stops.
    #[error("changes cannot be sent at the moment")]
    ChangesUnavailable,
    /// The component exceeded its deadline.
    #[error("component `{component}` did not answer before its deadline")]
    DeadlineExceeded {
        /// The component that was called.
        component: String,
    },
    /// The component trapped, exited or violated the protocol.
    #[error("component `{component}` failed while handling the request")]
    ComponentTrapped {
        /// The component that was called.
        component: String,
    },
    /// A fault injection of an operator fails the call.
    #[error("component `{component}` does not serve, because of a fault injection")]
    FaultInjected {
        /// The component that was called.
        component: String,
    },
    /// Too many calls are running and waiting.
    #[error("{who} is overloaded")]
    Overloaded {
        /// The component or the link that rejected the call.
        who: String,
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// The breaker of the link is open.
    #[error("calls over link `{link}` are cut off for now")]
    BreakerOpen {
        /// The link whose breaker is open.
        link: Arc<str>,
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// The writes of the call could not be committed: the disk is full, or broken.
    #[error("what was changed could not be kept")]
    NotDurable,
    /// Components call each other in a loop.
    #[error("component `{component}` is part of a loop of calls")]
    LoopDetected {
        /// The component that was called.
        component: String,
    },
}

impl Problem {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadRequest | Self::TransferCoding | Self::BodyIncomplete => {
                StatusCode::BAD_REQUEST
            }
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TokenRequired | Self::InvalidToken(_) => StatusCode::UNAUTHORIZED,
            Self::RoleRequired | Self::ForeignOrigin | Self::UsersOnly | Self::OperatorOnly => {
                StatusCode::FORBIDDEN
            }
            Self::TooManyRequests { .. }
            | Self::TooManyBytes { .. }
            | Self::TooManyInFlight { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PositionGone => StatusCode::GONE,
            Self::PayloadTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::DeadlineExceeded { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::ComponentTrapped { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded { .. }
            | Self::BreakerOpen { .. }
            | Self::FaultInjected { .. }
            | Self::TooManyClients
            | Self::IdentityUnavailable
            | Self::TooManyListeners
            | Self::ChangesUnavailable
            | Self::NotDurable => StatusCode::SERVICE_UNAVAILABLE,
            Self::LoopDetected { .. } => StatusCode::LOOP_DETECTED,
        }
    }

    /// The last part of the `type`, which clients may rely on.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::BadRequest | Self::TransferCoding => "bad-request",
            Self::BodyIncomplete => "body-incomplete",
            Self::RequestTimeout => "request-timeout",
            Self::TokenRequired => "token-required",
            Self::InvalidToken(_) => "invalid-token",
            Self::RoleRequired => "role-required",
            Self::ForeignOrigin => "foreign-origin",
            Self::TooManyRequests { .. }
            | Self::TooManyBytes { .. }
            | Self::TooManyInFlight { .. } => "too-many-requests",
            Self::IdentityUnavailable => "identity-unavailable",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::PreconditionFailed => "precondition-failed",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::TooManyListeners => "too-many-listeners",
            Self::PositionGone => "position-gone",
            Self::UsersOnly | Self::OperatorOnly => "forbidden",
            Self::ChangesUnavailable => "unavailable",
            Self::DeadlineExceeded { .. } => "deadline-exceeded",
            Self::ComponentTrapped { .. } => "component-trapped",
            Self::Overloaded { .. } | Self::TooManyClients => "overloaded",
            Self::FaultInjected { .. } => "experiment",
            Self::NotDurable => "not-kept",
            Self::BreakerOpen { .. } => "cut-off",
            Self::LoopDetected { .. } => "loop-detected",
        }
    }

    /// The response. Any page in a browser may read it, like the responses of the components: it holds the time of the
    /// retry.
    pub fn response(&self) -> Response<WasiBody> {
        let mut response = document(
            self.status(),
            self.slug(),
            &self.to_string(),
            self.retry_after(),
        );
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(PROBLEM_HEADERS),
        );
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        for (name, value) in self.rate_limit().into_iter().flatten() {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// The limit that the client has reached, and what is left of it.
    fn rate_limit(&self) -> Option<[(HeaderName, String); 2]> {
        let retry_after = self.retry_after().unwrap_or(1);
        let (policy, state) = match self {
            Self::TooManyRequests { rate, burst, .. } => {
                let window = burst.div_ceil(*rate).max(1);
                (
                    format!("\"client\";q={burst};w={window}"),
                    format!("\"client\";r=0;t={retry_after}"),
                )
            }
            Self::TooManyBytes { budget, left, .. } => (
                format!("\"bytes\";q={budget};qu=\"content-bytes\";w=3600"),
                format!("\"bytes\";r={left};t={retry_after}"),
            ),
            _ => return None,
        };
        Some([(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)])
    }

    /// The challenge of a request without a sufficient token.
    fn challenge(&self) -> Option<HeaderValue> {
        let refusal = match self {
            Self::TokenRequired => Refusal::TokenRequired,
            Self::InvalidToken(reason) => Refusal::InvalidToken(reason),
            Self::RoleRequired => Refusal::RoleRequired,
            _ => return None,
        };
        HeaderValue::try_from(refusal.challenge()?.to_string()).ok()
    }

    /// Whether a retry may succeed.
    pub fn is_temporary(&self) -> bool {
        self.retry_after().is_some()
    }

    /// The seconds until a retry makes sense, if it ever does. Rounded up: an earlier retry would fail.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Overloaded { retry_after, .. }
            | Self::BreakerOpen { retry_after, .. }
            | Self::TooManyRequests { retry_after, .. }
            | Self::TooManyBytes { retry_after, .. } => Some(
                retry_after
                    .as_millis()
                    .div_ceil(1000)
                    .try_into()
                    .unwrap_or(u64::MAX)
                    .max(1),
            ),
            Self::TooManyClients
            | Self::NotDurable
            | Self::IdentityUnavailable
            | Self::TooManyInFlight { .. }
            | Self::FaultInjected { .. }
            | Self::ChangesUnavailable => Some(1),
            Self::TooManyListeners => Some(LISTENER_RETRY),
            _ => None,
        }
    }
}

/// The members of a problem document, in reading order.
#[derive(Serialize)]
struct ProblemDocument<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

/// A problem document. `slug` is the last part of its `type`, `retry_after` the delay of a retry in seconds.
pub fn document(
    status: StatusCode,
    slug: &str,
    detail: &str,
    retry_after: Option<u64>,
) -> Response<WasiBody> {
    let body = ProblemDocument {
        kind: &format!("https://socar.dev/problems/{slug}"),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
    };
    // Strings and a number can always be serialized.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[test]
    fn an_overload_has_the_time_of_a_retry() {
        let response = Problem::Overloaded {
            who: "component `car`".to_owned(),
            retry_after: Duration::from_millis(1200),
        }
        .response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn a_page_of_another_origin_may_read_a_problem() {
        let response = Problem::NotFound.response();
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let exposed = &response.headers()[ACCESS_CONTROL_EXPOSE_HEADERS];
        assert!(exposed.to_str().unwrap().contains("retry-after"));
    }

    #[tokio::test]
    async fn a_problem_is_written_in_reading_order() {
        let body = Problem::NotFound.response().into_body().collect().await;
        let expected = r#"{"type":"https://socar.dev/problems/not-found","title":"Not Found","status":404,"detail":"nothing is served at this path"}"#;
        assert_eq!(body.unwrap().to_bytes(), expected);
    }
}
