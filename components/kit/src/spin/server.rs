//! Between the two exports of a component and plain values.

use super::{variable, with_timeout};
use crate::http::{
    BODY_LIMIT, Problem, Request, Response, body, finish_response,
    relay::{RelayRequest, acknowledge, authorize},
};
use bytes::Bytes;
use events::{CloudEvent, ParseEventError};
use http::Uri;
use http_body_util::Full;
use spin_sdk::{
    http::{IncomingMessage, body::IncomingBodyExt},
    wasip3::http_compat::IncomingBody,
};
use std::{fmt::Display, time::Duration};

/// How long the rest of a body that is too long may take.
const LINGER: Duration = Duration::from_secs(1);

/// Reads a request, lets `answer` answer it, and hands the answer back. What the relay brings for the
/// resources named `plural` goes to `handle`, as if the log had brought it, or to the sweep.
///
/// What cannot be read is answered with a problem.
pub async fn serve<E: Display>(
    request: spin_sdk::http::Request,
    plural: &str,
    answer: impl AsyncFnOnce(Request) -> Response,
    handle: impl AsyncFnOnce(CloudEvent) -> Result<(), E>,
) -> http::Response<Full<bytes::Bytes>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let method = head.method.clone();
    let mut response = match read(body).await {
        Ok(body) => {
            let request = Request::from_parts(head, body);
            match RelayRequest::from_path(&path, plural) {
                None => answer(request).await,
                Some(relay_request) => match authorize(&request, &variable("relay_secret").await) {
                    Err(problem) => problem.into_response(&path),
                    Ok(()) if relay_request == RelayRequest::Sweep => answer(inward(request)).await,
                    Ok(()) if request.body().len() > BODY_LIMIT => {
                        Problem::payload_too_large(BODY_LIMIT).into_response(&path)
                    }
                    Ok(()) => acknowledge(&path, react(request.body(), handle).await),
                },
            }
        }
        Err(error) => {
            let detail = format!("the body broke off: {error}");
            Problem::malformed_json(detail).into_response(&path)
        }
    };
    finish_response(&method, &mut response);
    response.map(Full::new)
}

/// The body; of one that is too long, enough to show that it is.
async fn read<M: IncomingMessage>(body: IncomingBody<M>) -> Result<Bytes, String> {
    let mut pieces = body.stream();
    let kept = body::read_limited(&mut pieces).await;
    let kept = kept.map_err(|error| format!("{error:?}"))?;
    if kept.len() > BODY_LIMIT {
        with_timeout(LINGER, body::drain(&mut pieces)).await;
    }
    Ok(kept)
}

/// The same request, at the place where the host itself asks for a sweep.
fn inward(mut request: Request) -> Request {
    *request.uri_mut() = Uri::from_static("/internal/sweep");
    request
}

/// Reads a message from the log and lets `handle` react to it. An event of an unknown type is
/// passed over: it is meant for others, or for a later version.
///
/// # Errors
///
/// A message that is no event, or what `handle` says: the host delivers again, or parks it.
pub async fn react<E: Display>(
    message: &[u8],
    handle: impl AsyncFnOnce(CloudEvent) -> Result<(), E>,
) -> Result<(), String> {
    match CloudEvent::parse(message) {
        Ok(event) => handle(event).await.map_err(|error| error.to_string()),
        Err(ParseEventError::UnknownType(_)) => Ok(()),
        Err(error @ ParseEventError::Malformed(_)) => Err(error.to_string()),
    }
}
