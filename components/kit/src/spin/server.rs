//! Between the two exports of a component and plain values.

use super::client::read;
use crate::http::{BODY_LIMIT, Problem, Request, Response};
use events::{CloudEvent, ParseError};
use http_body_util::Full;
use std::fmt::Display;

/// Reads a request, lets `answer` answer it, and hands the answer back.
///
/// # Errors
///
/// None that a client could cause: what cannot be read is answered with a problem.
pub async fn serve(
    request: spin_sdk::http::Request,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> http::Response<Full<bytes::Bytes>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let response = match read(body).await {
        Ok(Some(body)) => answer(Request::from_parts(head, body)).await,
        Ok(None) => Problem::payload_too_large(BODY_LIMIT).into_response(&path),
        Err(error) => {
            Problem::malformed_json(format!("the body broke off: {error}")).into_response(&path)
        }
    };
    response.map(Full::new)
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
        Err(ParseError::UnknownType(_)) => Ok(()),
        Err(error @ ParseError::Malformed(_)) => Err(error.to_string()),
    }
}
