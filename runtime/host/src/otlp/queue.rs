//! The queue of spans that have ended. It is bounded, and never makes a request wait.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::losses::Losses;

/// The end of the queue that spans enter.
#[derive(Debug)]
pub struct SpanQueue {
    spans: Sender<SpanData>,
    losses: Arc<Losses>,
}

// === impl SpanQueue ===

impl SpanQueue {
    /// A queue for this many spans, and the end that they leave.
    pub fn new(capacity: usize, losses: Arc<Losses>) -> (Self, Receiver<SpanData>) {
        let (spans, ended) = channel(capacity);
        (Self { spans, losses }, ended)
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.losses.queued();
        if self.spans.try_send(span).is_err() {
            self.losses.overflowed();
        }
    }

    /// The exporter flushes the queue itself.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    /// The exporter has closed the queue before.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
