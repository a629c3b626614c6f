//! OTLP over gRPC: one unary call is one request over HTTP/2 whose body is a frame, and whose result is in the trailers.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use percent_encoding::percent_decode;
use prost::Message;

use super::answer::{ExportAnswer, ExportError, ExportReceipt};
use crate::availability::is_outage;

/// The media type of requests and answers.
pub const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// The header by which the server knows that nothing on the way drops the trailers.
pub const TE: HeaderName = http::header::TE;
pub const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";
const DETAILS: &str = "grpc-status-details-bin";

/// The code of a call that succeeded.
const SUCCESS: u32 = 0;

/// The code of a server that has reached a limit. It says so for a while, or for ever.
const RESOURCE_EXHAUSTED: u32 = 8;

/// The codes with which a call is repeated: cancelled, deadline exceeded, aborted, out of range, unavailable, data loss.
const TEMPORARY: [u32; 6] = [1, 4, 10, 11, 14, 15];

/// The size of the head of a frame, in bytes: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<AnyMessage>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct AnyMessage {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<RetryDelay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
struct RetryDelay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The body of a request with one message.
pub fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

/// What an answer means.
///
/// # Errors
/// When the collector did not take the spans.
pub fn receipt(answer: &ExportAnswer) -> Result<ExportReceipt, ExportError> {
    let trailers = answer.trailers.as_ref();
    // Without a message, the result is in the headers.
    let result = trailers
        .filter(|it| it.contains_key(STATUS))
        .unwrap_or(&answer.headers);
    let Some(code) = text(result, STATUS).and_then(|code| code.parse().ok()) else {
        return Err(without_result(answer.status));
    };
    if code == SUCCESS {
        let message = answer.body.get(FRAME_HEAD..).unwrap_or_default();
        let response = ExportTraceServiceResponse::decode(message).unwrap_or_default();
        return Ok(response.partial_success.into());
    }
    let message = text(result, MESSAGE).unwrap_or_default();
    let message = percent_decode(message.as_bytes()).decode_utf8_lossy();
    let cause = format!("it answers with the gRPC status {code}: {message}");
    let retry_after = text(result, DETAILS).and_then(retry_delay);
    let is_temporary = match code {
        RESOURCE_EXHAUSTED => retry_after.is_some(),
        code => TEMPORARY.contains(&code),
    };
    Err(match is_temporary {
        true => ExportError::Unavailable { cause, retry_after },
        false => ExportError::Rejected { cause },
    })
}

/// The answer of something else than a gRPC server, such as a proxy.
fn without_result(status: StatusCode) -> ExportError {
    let cause = format!("it answers {status} without a gRPC status");
    match is_outage(status) {
        true => ExportError::unavailable(cause),
        false => ExportError::Rejected { cause },
    }
}

fn retry_delay(details: &str) -> Option<Duration> {
    let details = STANDARD_NO_PAD.decode(details.trim_end_matches('=')).ok()?;
    let status = RpcStatus::decode(&*details).ok()?;
    let mut details = status.details.iter();
    let info = details.find(|it| it.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.retry_delay?;
    let seconds = u64::try_from(delay.seconds).ok()?;
    Some(Duration::new(
        seconds,
        u32::try_from(delay.nanos).ok()?.min(999_999_999),
    ))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(delay: RetryDelay) -> String {
        let info = RetryInfo {
            retry_delay: Some(delay),
        };
        let any = AnyMessage {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: info.encode_to_vec(),
        };
        let status = RpcStatus { details: vec![any] };
        STANDARD_NO_PAD.encode(status.encode_to_vec())
    }

    #[test]
    fn a_frame_has_its_length() {
        assert_eq!(&*frame(b"abc"), [0, 0, 0, 0, 3, b'a', b'b', b'c']);
    }

    #[test]
    fn the_details_of_a_status_may_hold_a_delay() {
        let delay = RetryDelay {
            seconds: 2,
            nanos: 500_000_000,
        };
        let text = details(delay);
        assert_eq!(retry_delay(&text), Some(Duration::from_millis(2500)));
        assert_eq!(retry_delay(&format!("{text}==")), retry_delay(&text));
        let negative = RetryDelay {
            seconds: -1,
            nanos: 0,
        };
        for malformed in ["", "!", "AAAA", &*details(negative)] {
            assert_eq!(retry_delay(malformed), None, "{malformed}");
        }
    }
}
