//! Export of spans to a collector by OTLP, over HTTP with protobuf bodies or over gRPC.
//!
//! The standard variables of OpenTelemetry configure it ([`settings`]); without them there is no exporter, and no span is
//! made. The spans of the process go through one bounded queue ([`queue`]) to one task ([`export`]), which sends them in
//! batches ([`collector`]) on a thread of its own. Nothing else waits for the collector: spans for which the queue has no
//! room are dropped and counted ([`losses`]). At the end of the process the rest is sent within [`FLUSH_TIMEOUT`].

mod answer;
mod collector;
mod export;
mod grpc;
mod http;
mod losses;
mod queue;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::runtimes::DedicatedRuntime;
use crate::span::{self, SpanIds, SpanRecorder};
use collector::Collector;
use export::ExportTask;
use losses::{LossReason, Losses};
use queue::SpanQueue;
use settings::{ExportSettings, Requested};

/// How long the end of the process waits for the last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The service whose spans are exported, unless the variables name another.
#[derive(Clone, Copy, Debug)]
pub struct ServiceName<'a> {
    /// `service.name`.
    pub name: &'a str,
    /// `service.version`, if it is known.
    pub version: &'a str,
}

/// The running exporter.
pub struct SpanExport {
    provider: SdkTracerProvider,
    task: JoinHandle<()>,
    stop: CancellationToken,
    losses: Arc<Losses>,
    /// Dropped after the task, which runs on it.
    _runtime: DedicatedRuntime,
}

/// Starts the exporter that the environment asks for, if it does. Operations on stores have spans if `stores` says so.
///
/// # Errors
/// When the system has no thread left.
pub fn start(service: ServiceName<'_>, stores: bool) -> anyhow::Result<Option<SpanExport>> {
    let environment = |name: &str| std::env::var(name).ok();
    let Requested { settings, warnings } = ExportSettings::read(&environment, service);
    for warning in warnings {
        warn!("{warning}");
    }
    let Some(settings) = settings else {
        return Ok(None);
    };
    let runtime = DedicatedRuntime::traces().context("cannot start the exporter of spans")?;
    let losses = Arc::new(Losses::new(&settings.shown_endpoint()));
    let (queue, spans) = SpanQueue::new(settings.queue, losses.clone());
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(settings.resource.clone())
        .build();
    let provider = SdkTracerProvider::builder()
        .with_sampler(settings.sampler.clone())
        .with_id_generator(SpanIds)
        .with_resource(resource.clone())
        .with_span_processor(queue)
        .build();
    let scope = InstrumentationScope::builder("socar").with_version(env!("CARGO_PKG_VERSION"));
    let tracer = provider.tracer_with_scope(scope.build());
    let (endpoint, protocol) = (settings.shown_endpoint(), settings.protocol.name());
    let stop = CancellationToken::new();
    let collector = Collector::new(&settings);
    let task = ExportTask::new(spans, collector, &resource, &settings, losses.clone());
    let task = runtime.handle().tokio().spawn(task.run(stop.clone()));
    span::install(SpanRecorder { tracer, stores });
    info!(endpoint, protocol, "spans are exported");
    Ok(Some(SpanExport {
        provider,
        task,
        stop,
        losses,
        _runtime: runtime,
    }))
}

// === impl SpanExport ===

impl SpanExport {
    /// Sends the spans that have ended. Nothing is exported after that.
    pub async fn finish(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(FLUSH_TIMEOUT, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
        let rest = self.losses.pending();
        self.losses
            .dropped(LossReason::Stopped, rest, "the host has stopped");
        let _ = self.provider.shutdown();
    }
}
