//! The numbers of this process: recorded through the `metrics` facade, rendered for Prometheus.
//!
//! All of them are in [`GAUGES`], [`COUNTERS`] and [`HISTOGRAMS`], each with what it says; they are recorded where they
//! happen, by these names.

use std::time::Duration;

use anyhow::Context as _;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Bounds of latencies in seconds: from a quick refusal to a missed deadline.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// What merely is.
const GAUGES: [(&str, &str); 12] = [
    ("socar_connections", "clients that are connected"),
    (
        "socar_breaker_state",
        "1 for the state in which the breaker of a link is",
    ),
    (
        "socar_calls_running",
        "calls that a component, or a link with places of its own, works on",
    ),
    ("socar_calls_waiting", "calls that wait for such a place"),
    (
        "socar_concurrency_limit",
        "places that there are at present",
    ),
    (
        "socar_instances",
        "instances of a component, idle ones included",
    ),
    (
        "socar_instances_busy",
        "instances of a component that work on a call or an event",
    ),
    (
        "socar_instances_max",
        "instances of a component that there may be",
    ),
    (
        "socar_event_lag",
        "events of a stream that a group has not been given yet",
    ),
    (
        "socar_event_pending",
        "events of a stream that a group works on",
    ),
    ("socar_dead_letters", "events that could not be delivered"),
    ("socar_event_log_up", "1 while the event log can be read"),
];

/// What has happened so often.
const COUNTERS: [(&str, &str); 7] = [
    (
        "socar_listener_refused_total",
        "requests and connections that the listener has sent away, by what was wrong with them",
    ),
    (
        "socar_calls_total",
        "calls over a link, by the class of the answer's status; without one, by what was in the way: `shed`, `cut-off`, `deadline`, `trap`, or else `none`",
    ),
    (
        "socar_calls_shed_total",
        "calls that there was no place for, by priority",
    ),
    (
        "socar_retries_total",
        "further attempts of calls over a link",
    ),
    (
        "socar_fallbacks_total",
        "answers by somebody else than the end of the link",
    ),
    (
        "socar_breaker_transitions_total",
        "how often the breaker of a link entered a state",
    ),
    (
        "socar_breaker_refused_total",
        "calls that the breaker of a link cut off",
    ),
];

/// How long something took, in seconds.
const HISTOGRAMS: [(&str, &str); 1] = [("socar_call_seconds", "how long calls over a link took")];

/// How often samples are sorted into their buckets. Until then each is kept, so nobody may forget it.
const UPKEEP: Duration = Duration::from_secs(2);

/// Renders what was recorded.
#[derive(Clone)]
pub struct Meter(PrometheusHandle);

// === impl Meter ===

impl Meter {
    /// Begins to record, for the whole process; to be called before anything that counts is made.
    ///
    /// # Errors
    /// When somebody else records already.
    pub fn start() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .context("cannot measure")?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("cannot measure")?;
        describe();
        Ok(Self(handle))
    }

    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the memory of samples short until told to stop.
    ///
    /// # Errors
    /// None; it is one of several tasks that may have some.
    pub async fn keep(self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(UPKEEP) => self.0.run_upkeep(),
                () = stop.cancelled() => return Ok(()),
            }
        }
    }
}

fn describe() {
    for (name, what) in GAUGES {
        describe_gauge!(name, what);
    }
    for (name, what) in COUNTERS {
        describe_counter!(name, what);
    }
    for (name, what) in HISTOGRAMS {
        describe_histogram!(name, what);
    }
}
