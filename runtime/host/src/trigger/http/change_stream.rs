//! The response to a client that listens for the changes of a component.

use std::ops::Range;
use std::time::Duration;

use ::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE,
};
use ::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_conventions::cors::{REQUEST_HEADERS, RESPONSE_HEADERS};
use tokio::time::Instant;
use wasmtime_wasi_http::WasiBody;

use super::ClientInfo;
use super::takeover::LongLived;
use crate::changes::{ChangeFeeds, ChangeRoute, ListenError, Visibility};
use crate::principal::CallPrincipal;
use crate::problem::Problem;

/// The position of the last change that the client has.
const LAST_EVENT_ID: &str = "last-event-id";

/// The bounds of the greatest age of a stream on a platform with identity, in seconds. A key that was withdrawn, or a role
/// that was lost, has its effect when the client comes again. The age is chosen at random, so that not all listeners come
/// again at once.
const MAX_AGE: Range<u64> = 780..900;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// Proxies must neither keep the changes nor hold them back.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    ),
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(RESPONSE_HEADERS),
    ),
];

/// What a client may listen to, and for how long.
pub(super) struct ListenerAccess {
    /// Who listens.
    pub principal: CallPrincipal,
    /// For how long the token is still accepted; `None` on a platform without identity.
    pub token_time: Option<Duration>,
}

// === impl ListenerAccess ===

impl ListenerAccess {
    /// When the stream ends at the latest; `None` if its time is not limited.
    fn until(&self) -> Option<Instant> {
        let token_time = self.token_time?;
        let max_age = Duration::from_secs(fastrand::u64(MAX_AGE));
        Some(Instant::now() + token_time.min(max_age))
    }
}

/// Answers a request at the path of a route.
///
/// # Errors
/// When the client cannot listen now, or not from its position on.
pub(super) async fn answer<B>(
    feeds: &ChangeFeeds,
    route: &ChangeRoute,
    request: Request<B>,
    listener: &ListenerAccess,
    client: &ClientInfo,
) -> Result<Response<WasiBody>, Problem> {
    if *request.method() == Method::OPTIONS {
        return Ok(options());
    }
    let visibility = Visibility::of(&listener.principal).ok_or(Problem::UsersOnly)?;
    match *request.method() {
        Method::GET => {}
        Method::HEAD => return Ok(stream(WasiBody::default())),
        _ => {
            let mut response = Problem::MethodNotAllowed.response();
            response.headers_mut().insert(ALLOW, METHODS);
            return Ok(response);
        }
    }
    let last = match request.headers().get(LAST_EVENT_ID) {
        Some(last) => Some(last.to_str().map_err(|_| ListenError::PositionGone)?),
        None => None,
    };
    // A browser sends the header empty where it has no position.
    let last = last.filter(|last| !last.is_empty());
    let room = client.tracker.lasting_connections();
    let until = listener.until();
    let body = feeds.listen(route, last, visibility, until, room);
    let mut response = stream(body.await?);
    response.extensions_mut().insert(LongLived);
    Ok(response)
}

fn stream(body: WasiBody) -> Response<WasiBody> {
    let mut response = Response::new(body);
    response.headers_mut().extend(HEADERS);
    response
}

/// The response to OPTIONS, also as a preflight request.
fn options() -> Response<WasiBody> {
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(REQUEST_HEADERS),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The remaining time of a stream whose token is accepted for so many seconds.
    fn remaining(token_time: Option<u64>) -> Option<u64> {
        let listener = ListenerAccess {
            principal: CallPrincipal::Open,
            token_time: token_time.map(Duration::from_secs),
        };
        let until = listener.until()?;
        Some(until.duration_since(Instant::now()).as_secs())
    }

    #[test]
    fn a_stream_ends_with_its_token_and_at_its_greatest_age() {
        assert_eq!(remaining(None), None);
        assert_eq!(remaining(Some(0)), Some(0));
        assert!(remaining(Some(60)).is_some_and(|it| (50..=60).contains(&it)));
        for long in [86_400, u64::MAX] {
            let greatest = 770..MAX_AGE.end;
            assert!(remaining(Some(long)).is_some_and(|it| greatest.contains(&it)));
        }
    }
}
