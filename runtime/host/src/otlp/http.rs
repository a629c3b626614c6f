//! OTLP over HTTP: what an answer means.

use http::{HeaderValue, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::answer::{ExportAnswer, ExportError, ExportReceipt};
use crate::availability::{is_outage, retry_after};

/// The media type of requests and answers.
pub const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// What an answer means. The specification names the statuses with which a request is repeated.
///
/// # Errors
/// When the collector did not take the spans.
pub fn receipt(answer: &ExportAnswer) -> Result<ExportReceipt, ExportError> {
    let status = answer.status;
    let cause = format!("it answers {status}");
    match status {
        StatusCode::OK => {
            // A proxy may answer something else; the spans count as taken.
            let response = ExportTraceServiceResponse::decode(&*answer.body).unwrap_or_default();
            Ok(response.partial_success.into())
        }
        status if status.is_success() => Ok(ExportReceipt::default()),
        status if is_outage(status) => Err(ExportError::Unavailable {
            cause,
            retry_after: retry_after(&answer.headers),
        }),
        _ => Err(ExportError::Rejected { cause }),
    }
}
