//! The two exports of a component, HTTP and Redis, as functions of plain values.

use super::{
    authentication::{Authentication, authenticate},
    receiver,
    timeout::with_timeout,
    variables::variable,
};
use crate::event_failure::EventFailure;
use crate::http::{
    BODY_LIMIT, Problem, Request, Response, bearer, body, context_calls, finish_response,
    relay::{self, RelayRequest, acknowledge},
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

/// A context, as clients and other parts of the platform name it.
#[derive(Clone, Copy, Debug)]
pub struct ContextNames {
    /// The id of the component, for which platform tokens are.
    pub id: &'static str,
    /// The first segment of its paths.
    pub plural: &'static str,
}

/// Serves a request with `answer`. Requests of the relay below the resources of the context are served
/// here: an event goes to `react_to`, as an event from the log does, and a sweep to `answer`. A command of another
/// context that comes over the network goes to `answer` under its path in the application.
///
/// A request whose body cannot be read, or whose sender is not authenticated, is answered with a problem.
///
/// # Errors
///
/// The head of the request is malformed.
pub async fn serve<E: Into<EventFailure>>(
    request: types::Request,
    context: ContextNames,
    answer: impl AsyncFnOnce(Request) -> Response,
    react_to: impl AsyncFnOnce(CloudEvent) -> Result<(), E>,
) -> Result<types::Response, types::ErrorCode> {
    let (mut head, body) = guest_http::receive(request)?;
    let path = head.uri.path().to_owned();
    let method = head.method.clone();
    let ContextNames { id, plural } = context;
    let Authentication { result, readers } = authenticate(&mut head, id).await;
    // The body is read in any case: a client that still sends it would not read the response.
    let mut response = match (read(body).await, result) {
        (Ok(_), Err(refused)) => refused,
        (Ok(body), Ok(())) => {
            let request = Request::from_parts(head, body);
            let command = context_calls::command_path(&path, plural);
            match (RelayRequest::from_path(&path, plural), command) {
                (Some(kind), _) => serve_relay(kind, request, id, answer, react_to).await,
                (None, Some(command)) => serve_command(&command, request, id, answer).await,
                (None, None) => answer(request).await,
            }
        }
        (Err(error), _) => {
            let detail = format!("the body broke off: {error}");
            Problem::malformed_json(detail).into_response(&path)
        }
    };
    finish_response(&method, readers, &mut response);
    guest_http::respond(response)
}

/// Serves a command that comes over the network; `command` is its path in the application.
async fn serve_command(
    command: &str,
    mut request: Request,
    context: &'static str,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let path = request.uri().path().to_owned();
    let keys = variable(context_calls::TOKEN).await;
    if let Err(problem) =
        bearer::authorize(&request, context_calls::TOKEN, &keys, receiver(context))
    {
        return problem.into_response(&path);
    }
    match command.parse() {
        Ok(uri) => {
            *request.uri_mut() = uri;
            answer(request).await
        }
        Err(_) => Problem::not_found(format!("there is nothing at {path}")).into_response(&path),
    }
}

async fn serve_relay<E: Into<EventFailure>>(
    kind: RelayRequest,
    request: Request,
    context: &'static str,
    answer: impl AsyncFnOnce(Request) -> Response,
    react_to: impl AsyncFnOnce(CloudEvent) -> Result<(), E>,
) -> Response {
    let path = request.uri().path().to_owned();
    let secret = variable(relay::SECRET).await;
    if let Err(problem) = relay::authorize(&request, &secret, receiver(context)) {
        return problem.into_response(&path);
    }
    match kind {
        RelayRequest::Sweep => answer(internal_sweep(request)).await,
        RelayRequest::Event if request.body().len() > BODY_LIMIT => {
            let cause = format!("an event may have up to {BODY_LIMIT} bytes");
            acknowledge(&path, Err(EventFailure::Rejected(cause)))
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
