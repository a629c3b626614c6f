//! A collector of traces: it takes spans by OTLP, over HTTP with protobuf bodies and over gRPC, and shows them to a test.

mod otlp;
mod span;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::eventually::eventually;
use crate::setup::Setup;
use crate::stub_server::StubServer;
use otlp::Inbox;

pub use otlp::{CollectorFault, ExportRequest};
pub use span::CollectedSpan;
pub use tree::tree;

/// A host on an idle machine exports a span within this time.
const EXPORT_TIME: Duration = Duration::from_millis(700);

/// The protocol by which a host sends its spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    Http,
    Grpc,
}

/// A running collector; it stops with the test process.
#[derive(Debug, Clone)]
pub struct Collector {
    inbox: Arc<Mutex<Inbox>>,
    server: Arc<Mutex<StubServer<Mutex<Inbox>>>>,
}

impl Setup {
    /// Sends the spans of the host to this collector, each soon after its end.
    pub fn tracing_to(self, collector: &Collector, protocol: OtlpProtocol) -> Self {
        let variables = collector.variables(protocol);
        let set = |setup: Self, (name, value): (&str, String)| setup.environment(name, &value);
        variables.into_iter().fold(self, set)
    }
}

// === impl Collector ===

impl Collector {
    /// Starts a collector that takes every span.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start() -> Self {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let server = StubServer::start(&inbox);
        Self {
            inbox,
            server: Arc::new(Mutex::new(server)),
        }
    }

    /// The address for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.lock().address())
    }

    /// The environment of a host that sends its spans here.
    pub fn variables(&self, protocol: OtlpProtocol) -> [(&'static str, String); 3] {
        let protocol = match protocol {
            OtlpProtocol::Http => "http/protobuf",
            OtlpProtocol::Grpc => "grpc",
        };
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.url()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
        ]
    }

    /// Injects a fault.
    pub fn set_fault(&self, fault: CollectorFault) {
        self.inbox.lock().fault = Some(fault);
        if fault == CollectorFault::RefusesConnections {
            self.server.lock().close();
        }
    }

    /// Ends the fault.
    pub fn clear_fault(&self) {
        self.inbox.lock().fault = None;
        self.server.lock().open();
    }

    /// The requests so far, with those that were not answered or refused.
    pub fn requests(&self) -> Vec<ExportRequest> {
        self.inbox.lock().requests.clone()
    }

    /// The spans that were taken so far.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.inbox.lock().spans.clone()
    }

    /// The spans of a trace that were taken so far.
    pub fn trace(&self, trace_id: &str) -> Vec<CollectedSpan> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace_id == trace_id);
        spans
    }

    /// Waits until the spans of a trace are as expected, and returns them.
    #[track_caller]
    pub fn wait_for_trace(
        &self,
        trace_id: &str,
        expected: impl Fn(&[CollectedSpan]) -> bool,
    ) -> Vec<CollectedSpan> {
        eventually(|| self.trace(trace_id), |spans| expected(spans))
    }

    /// Waits until the spans of a trace are as expected, and longer for one too many; returns them.
    #[track_caller]
    pub fn whole_trace(
        &self,
        trace_id: &str,
        expected: impl Fn(&[CollectedSpan]) -> bool,
    ) -> Vec<CollectedSpan> {
        self.wait_for_trace(trace_id, expected);
        std::thread::sleep(EXPORT_TIME);
        self.trace(trace_id)
    }
}
