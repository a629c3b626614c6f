//! The two exports of a component, HTTP and Redis, as functions of plain values.

use super::{timeout::with_timeout, variables::variable};
use crate::event_failure::EventFailure;
use crate::http::{
    BODY_LIMIT, Problem, Request, Response, body, finish_response,
    relay::{RelayRequest, acknowledge, authorize},
};
use bytes::Bytes;
use events::{CloudEvent, ParseEventError};
use futures::stream;
use guest_http::BodyChunks;
use http::Uri;
use spin_sdk::wasip3::http::types;
use std::{pin::pin, time::Duration};

/// Maximum time for draining the rest of an oversized body.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a request with `answer`. Requests of the relay below the resources named `plural` are served
/// here: an event goes to `react_to`, as an event from the log does, and a sweep to `answer`.
///
/// A request whose body cannot be read is answered with a problem.
///
/// # Errors
///
/// The head of the request is malformed.
pub async fn serve<E: Into<EventFailure>>(
    request: types::Request,
    plural: &str,
    answer: impl AsyncFnOnce(Request) -> Response,
    react_to: impl AsyncFnOnce(CloudEvent) -> Result<(), E>,
) -> Result<types::Response, types::ErrorCode> {
    let (head, body) = guest_http::receive(request)?;
    let path = head.uri.path().to_owned();
    let method = head.method.clone();
    let mut response = match read(body).await {
        Ok(body) => {
            let request = Request::from_parts(head, body);
            match RelayRequest::from_path(&path, plural) {
                None => answer(request).await,
                Some(kind) => serve_relay(kind, request, answer, react_to).await,
            }
        }
        Err(error) => {
            let detail = format!("the body broke off: {error}");
            Problem::malformed_json(detail).into_response(&path)
        }
    };
    finish_response(&method, &mut response);
    guest_http::respond(response)
}

async fn serve_relay<E: Into<EventFailure>>(
    kind: RelayRequest,
    request: Request,
    answer: impl AsyncFnOnce(Request) -> Response,
    react_to: impl AsyncFnOnce(CloudEvent) -> Result<(), E>,
) -> Response {
    let path = request.uri().path().to_owned();
    if let Err(problem) = authorize(&request, &variable("relay_secret").await) {
        return problem.into_response(&path);
    }
    match kind {
        RelayRequest::Sweep => answer(internal_sweep(request)).await,
        RelayRequest::Event if request.body().len() > BODY_LIMIT => {
            Problem::payload_too_large(BODY_LIMIT).into_response(&path)
        }
        RelayRequest::Event => acknowledge(&path, react(request.body(), react_to).await),
    }
}

/// The body. An oversized body is truncated to a part that still exceeds the limit.
async fn read(body: BodyChunks) -> Result<Bytes, String> {
    let next = async |mut body: BodyChunks| Some((body.next().await?, body));
    let mut chunks = pin!(stream::unfold(body, next));
    let body = body::read_limited(&mut chunks).await;
    let body = body.map_err(|error| format!("{error:?}"))?;
    if body.len() > BODY_LIMIT {
        with_timeout(DRAIN_TIMEOUT, body::drain(&mut chunks)).await;
    }
    Ok(body)
}

/// The same request at the path under which the host itself calls the sweep.
fn internal_sweep(mut request: Request) -> Request {
    *request.uri_mut() = Uri::from_static("/internal/sweep");
    request
}

/// Parses a message of the log and calls `react_to` with the event. An event of an unknown type is
/// ignored: it is meant for other consumers, or for a later version.
///
/// # Errors
///
/// The message is malformed, or `react_to` failed. The kind of failure decides whether the host waits, repeats the
/// delivery a few times, or moves the event to the dead letters at once.
pub async fn react<E: Into<EventFailure>>(
    message: &[u8],
    react_to: impl AsyncFnOnce(CloudEvent) -> Result<(), E>,
) -> Result<(), EventFailure> {
    match CloudEvent::parse(message) {
        Ok(event) => react_to(event).await.map_err(Into::into),
        Err(ParseEventError::UnknownType(_)) => Ok(()),
        Err(error @ ParseEventError::Malformed(_)) => {
            Err(EventFailure::Rejected(error.to_string()))
        }
    }
}
