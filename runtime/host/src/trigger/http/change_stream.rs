//! The response to a client that listens for the changes of a component.

use ::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE,
};
use ::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_conventions::cors::{REQUEST_HEADERS, RESPONSE_HEADERS};
use wasmtime_wasi_http::WasiBody;

use super::ClientInfo;
use super::takeover::LongLived;
use crate::changes::{ChangeFeeds, ChangeRoute, ListenError, Visibility};
use crate::principal::CallPrincipal;
use crate::problem::Problem;

/// The position of the last change that the client has.
const LAST_EVENT_ID: &str = "last-event-id";

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

/// Answers a request at the path of a route.
///
/// # Errors
/// When the client cannot listen now, or not from its position on.
pub(super) async fn answer<B>(
    feeds: &ChangeFeeds,
    route: &ChangeRoute,
    request: Request<B>,
    principal: &CallPrincipal,
    client: &ClientInfo,
) -> Result<Response<WasiBody>, Problem> {
    if *request.method() == Method::OPTIONS {
        return Ok(options());
    }
    let visibility = Visibility::of(principal).ok_or(Problem::UsersOnly)?;
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
    let mut response = stream(feeds.listen(route, last, visibility, room).await?);
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
