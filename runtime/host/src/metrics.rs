//! The metrics of this process: recorded through the `metrics` facade, rendered for Prometheus.
//!
//! [`GAUGES`], [`COUNTERS`] and [`HISTOGRAMS`] list all of them with their descriptions; each is recorded by its name in
//! the module that it measures.

use std::time::Duration;

use anyhow::Context as _;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use tokio_util::sync::CancellationToken;

use crate::process_metrics;

/// The buckets of latencies, in seconds: from a fast rejection to a missed deadline.
const LATENCY_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// Gauges: name and description.
const GAUGES: [(&str, &str); 18] = [
    (
        "socar_connections",
        "open connections of the public listener",
    ),
    (
        "socar_change_listeners",
        "clients that listen for the changes of a component",
    ),
    (
        "socar_breaker_state",
        "1 for the present state of the breaker of a link, 0 for the others",
    ),
    (
        "socar_calls_running",
        "calls in progress of a component, or of a link with its own concurrency limit",
    ),
    ("socar_calls_waiting", "calls that wait for a permit"),
    (
        "socar_concurrency_limit",
        "present concurrency limit: permits in total",
    ),
    (
        "socar_instances",
        "instances of a component, including idle ones",
    ),
    (
        "socar_instances_busy",
        "instances of a component with a call or an event in progress",
    ),
    (
        "socar_instances_max",
        "maximum number of instances of a component",
    ),
    (
        "socar_event_lag",
        "events of a stream that a consumer group has not claimed yet",
    ),
    (
        "socar_event_pending",
        "events of a stream that a consumer group has claimed and not acknowledged",
    ),
    (
        "socar_dead_letters",
        "events that could not be delivered and were parked",
    ),
    (
        "socar_event_log_up",
        "1 while the event log can be read, else 0",
    ),
    (
        "socar_build_info",
        "1, with the version of the host as a label",
    ),
    (
        "process_start_time_seconds",
        "start of the process, in seconds since 1970",
    ),
    ("process_open_fds", "open file descriptors"),
    ("process_max_fds", "limit of open file descriptors"),
    (
        "process_resident_memory_bytes",
        "resident memory of the process",
    ),
];

/// Counters: name and description.
const COUNTERS: [(&str, &str); 17] = [
    (
        "socar_listener_refused_total",
        "requests and connections that the listener rejected, by reason",
    ),
    (
        "socar_calls_total",
        "calls over a link, by the class of the response status; without a response, by its cause: `shed`, `cut-off`, `deadline`, `trap`, or else `none`",
    ),
    (
        "socar_calls_shed_total",
        "calls that were rejected without a permit, by priority",
    ),
    (
        "socar_events_total",
        "events that were delivered to a component, by outcome",
    ),
    (
        "socar_published_events_total",
        "events that a component has published on a stream",
    ),
    (
        "socar_changes_sent_total",
        "changes of a component that were sent to listeners, once for each of them",
    ),
    (
        "socar_change_listeners_lagged_total",
        "listeners whose stream ended because they lagged too far behind",
    ),
    (
        "socar_spans_exported_total",
        "spans that the collector of traces has taken",
    ),
    (
        "socar_spans_dropped_total",
        "spans that were not exported, by reason",
    ),
    ("process_cpu_seconds_total", "processor time of the process"),
    ("socar_retries_total", "retries of calls over a link"),
    (
        "socar_fallbacks_total",
        "responses from the fallback of a link",
    ),
    (
        "socar_breaker_transitions_total",
        "transitions of the breaker of a link, by the new state",
    ),
    (
        "socar_breaker_refused_total",
        "calls that the open breaker of a link rejected",
    ),
    (
        "socar_host_calls_total",
        "calls of host functions by a component, including the drops of resources of the host",
    ),
    (
        "socar_sqlite_statements_total",
        "executed SQLite statements, by database: `state` (stores and event log) or `component` (spin:sqlite)",
    ),
    (
        "socar_redis_commands_total",
        "commands sent to Redis servers, by kind: `plain` or `script`",
    ),
];

/// Histograms, in seconds: name and description.
const HISTOGRAMS: [(&str, &str); 2] = [
    ("socar_call_seconds", "duration of calls over a link"),
    (
        "http_server_request_duration_seconds",
        "duration of requests from clients, until the last byte of the response",
    ),
];

/// The time after which a gauge that is not set any more is left out. Each scrape sets the gauges just before it renders
/// them, so that two scrapes at the same time see the same ones.
const GAUGE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often samples are moved into their buckets. Until then each sample occupies memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(2);

/// The recorder of the process.
#[derive(Clone)]
pub struct MetricsRecorder(PrometheusHandle);

// === impl MetricsRecorder ===

impl MetricsRecorder {
    /// Installs the recorder of the process; to be called before the first metric is recorded.
    ///
    /// # Errors
    /// When the process has a recorder already.
    pub fn install() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .idle_timeout(MetricKindMask::GAUGE, Some(GAUGE_TIMEOUT))
            .set_buckets(&LATENCY_BUCKETS)
            .context("cannot set the buckets of the histograms")?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("cannot install the recorder of metrics")?;
        describe();
        process_metrics::note_start();
        Ok(Self(handle))
    }

    /// Renders every metric in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Moves samples into their buckets regularly, until `stop`.
    ///
    /// # Errors
    /// Never; the type is that of every background task of the platform.
    pub async fn maintain(self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(UPKEEP_INTERVAL) => self.0.run_upkeep(),
                () = stop.cancelled() => return Ok(()),
            }
        }
    }
}

fn describe() {
    for (name, description) in GAUGES {
        describe_gauge!(name, description);
    }
    for (name, description) in COUNTERS {
        describe_counter!(name, description);
    }
    for (name, description) in HISTOGRAMS {
        describe_histogram!(name, description);
    }
}
