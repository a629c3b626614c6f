//! From a response with its body in memory to a response of WASI HTTP.

use bytes::Bytes;
use http::StatusCode;
use wasip3::{
    http::types::{ErrorCode, Fields, Response},
    spawn, wit_future, wit_stream,
};

/// The response as the host takes it. Its body is sent after the handler has returned.
///
/// # Errors
///
/// The host does not accept a header.
pub fn respond(response: http::Response<Bytes>) -> Result<Response, ErrorCode> {
    let (head, body) = response.into_parts();
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let fields = Fields::from_list(&fields.collect::<Vec<_>>())
        .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
    // Dropping the writer ends the message without trailers.
    let (end_writer, end) = wit_future::new(|| Ok(None));
    let contents = (!body.is_empty()).then(|| {
        let (mut writer, contents) = wit_stream::new();
        spawn(async move {
            // A client that leaves early needs no further bytes.
            let _ = writer.write_all(Vec::from(body)).await;
            drop(writer);
            drop(end_writer);
        });
        contents
    });
    let (response, _sent) = Response::new(fields, contents, end);
    if head.status != StatusCode::OK {
        response
            .set_status_code(head.status.as_u16())
            .map_err(|()| ErrorCode::InternalError(Some("the status is invalid".into())))?;
    }
    Ok(response)
}
