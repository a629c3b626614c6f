//! The answer of a collector, and its meaning.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

/// The answer to a request whose spans were taken: how many of them were refused, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ExportReceipt {
    pub rejected: u64,
    pub message: String,
}

/// Why the collector did not take spans.
#[derive(Debug, PartialEq, Eq)]
pub enum ExportError {
    /// It may take them later.
    Unavailable {
        cause: String,
        /// The time before which another attempt makes no sense.
        retry_after: Option<Duration>,
    },
    /// It never takes them.
    Rejected { cause: String },
}

/// An answer as it was received.
pub struct ExportAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

// === impl ExportError ===

impl ExportError {
    pub fn unavailable(cause: String) -> Self {
        Self::Unavailable {
            cause,
            retry_after: None,
        }
    }
}

impl From<Option<ExportTracePartialSuccess>> for ExportReceipt {
    fn from(partial: Option<ExportTracePartialSuccess>) -> Self {
        partial.map_or_else(Self::default, |partial| Self {
            rejected: partial.rejected_spans.try_into().unwrap_or_default(),
            message: partial.error_message,
        })
    }
}
