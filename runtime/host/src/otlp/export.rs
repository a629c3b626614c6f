//! The task that sends spans in batches.
//!
//! A batch leaves when it is full, or when its first span has waited for the configured delay. While the collector is
//! unavailable the batch is tried again, with growing pauses and not before the time that the collector names; meanwhile
//! the queue fills, and later spans are dropped. After the timeout of a batch it is dropped too, so that the collector
//! gets recent spans when it is back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use resilience::retry::Backoff;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::ExportError;
use super::collector::Collector;
use super::losses::{LossReason, Losses};
use super::settings::ExportSettings;

/// The pauses between the attempts at one batch.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));

/// The longest pause that a collector may ask for, so that a wrong value does not end the export.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Sends spans until it is stopped.
pub struct ExportTask {
    spans: Receiver<SpanData>,
    collector: Collector,
    resource: ResourceAttributesWithSchema,
    batch: usize,
    delay: Duration,
    batch_timeout: Duration,
    losses: Arc<Losses>,
    /// Nothing is sent before this time.
    paused_until: Option<Instant>,
}

// === impl ExportTask ===

impl ExportTask {
    pub fn new(
        spans: Receiver<SpanData>,
        collector: Collector,
        resource: &Resource,
        settings: &ExportSettings,
        losses: Arc<Losses>,
    ) -> Self {
        Self {
            spans,
            collector,
            resource: resource.into(),
            batch: settings.batch,
            delay: settings.delay,
            batch_timeout: settings.batch_timeout,
            losses,
            paused_until: None,
        }
    }

    /// Sends spans until `stop`, and then the rest of the queue. The rest is not sent to a collector that is unavailable.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let batch = self.next_batch(&stop).await;
            if batch.is_empty() {
                return;
            }
            self.export(batch, &stop).await;
        }
    }

    /// The next spans; none at the end.
    async fn next_batch(&mut self, stop: &CancellationToken) -> Vec<SpanData> {
        let mut batch = Vec::new();
        let mut leaves = None;
        loop {
            if stop.is_cancelled() {
                self.spans.close();
            }
            let limit = self.batch - batch.len();
            let wait = async {
                match leaves {
                    Some(leaves) => tokio::time::sleep_until(leaves).await,
                    None => std::future::pending().await,
                }
            };
            let received = tokio::select! {
                biased;
                received = self.spans.recv_many(&mut batch, limit) => received,
                () = wait => return batch,
                () = stop.cancelled(), if !self.spans.is_closed() => continue,
            };
            if received == 0 || batch.len() >= self.batch {
                return batch;
            }
            leaves.get_or_insert_with(|| Instant::now() + self.delay);
        }
    }

    async fn export(&mut self, batch: Vec<SpanData>, stop: &CancellationToken) {
        let spans = batch.len() as u64;
        let message = self.encode(batch);
        let until = Instant::now() + self.batch_timeout;
        let mut failures = 0;
        loop {
            self.pause(stop).await;
            let cause = match self.collector.send(message.clone()).await {
                Ok(receipt) => {
                    let rejected = receipt.rejected.min(spans);
                    let cause = format!("it takes a part: {}", receipt.message);
                    self.losses.exported(spans - rejected);
                    return self.losses.dropped(LossReason::Rejected, rejected, &cause);
                }
                Err(ExportError::Rejected { cause }) => {
                    return self.losses.dropped(LossReason::Rejected, spans, &cause);
                }
                Err(ExportError::Unavailable { cause, retry_after }) => {
                    failures += 1;
                    let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
                    let delay = BACKOFF.delay(failures).max(asked);
                    self.paused_until = Some(Instant::now() + delay);
                    cause
                }
            };
            if stop.is_cancelled() {
                return self.losses.dropped(LossReason::Stopped, spans, &cause);
            }
            self.losses.failed(&cause);
            if self.paused_until.is_some_and(|resume| resume >= until) {
                return self.losses.dropped(LossReason::Unavailable, spans, &cause);
            }
        }
    }

    /// Waits until the collector may be asked again. The end of the process does not wait.
    async fn pause(&mut self, stop: &CancellationToken) {
        if let Some(resume) = self.paused_until.take() {
            tokio::select! {
                () = tokio::time::sleep_until(resume) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn encode(&self, batch: Vec<SpanData>) -> Bytes {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let request = ExportTraceServiceRequest { resource_spans };
        request.encode_to_vec().into()
    }
}
