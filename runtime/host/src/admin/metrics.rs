//! `/metrics`, in the text format of Prometheus.
//!
//! Events are counted where they occur ([`crate::link`]). Gauges of the current state (breakers, permits, lag) are
//! updated here on each request, so that they cost nothing between requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use metrics::{counter, gauge};
use parking_lot::Mutex;
use resilience::breaker::BreakerState;

use super::response::{AdminResponse, text};
use super::routes::{AdminRequest, AdminRoutes};
use crate::admission::Admission;
use crate::generation::CurrentGeneration;
use crate::instance::pool::PoolStats;
use crate::link::registry::LinkRegistry;
use crate::metrics::MetricsRecorder;
use event_log::{DEAD_LETTERS, EventLog, LogError};
use storage::work::{CountedCommand, CountedDatabase, commands, statements};

/// Sources of the metrics that are read on request.
#[derive(Clone)]
pub struct MetricSources {
    /// Recorder that renders every metric.
    pub recorder: MetricsRecorder,
    /// Components and their admission.
    pub current: CurrentGeneration,
    /// Links and their breakers.
    pub links: LinkRegistry,
    /// Event log with its groups and dead letters.
    pub log: Arc<dyn EventLog>,
    /// Links whose breaker state was exported last; the gauges of removed links are set to 0.
    pub shown: Arc<Mutex<BTreeSet<Arc<str>>>>,
}

const STATES: [BreakerState; 5] = [
    BreakerState::Closed,
    BreakerState::Open,
    BreakerState::HalfOpen,
    BreakerState::ForcedOpen,
    BreakerState::Disabled,
];

/// The route of the metrics.
pub fn routes(sources: MetricSources) -> AdminRoutes<MetricSources> {
    AdminRoutes::of(sources).get("/metrics", render)
}

async fn render(sources: MetricSources, _: AdminRequest) -> AdminResponse {
    for (id, ingress) in &sources.current.get().components {
        ingress.admission.register_metrics();
        export_admission(&ingress.admission, "component", id);
        export_instances(ingress.component.stats(), id);
    }
    let links = sources.links.all();
    let guarded = links.iter().filter(|link| link.breaker().is_some());
    let guarded = guarded.map(|link| link.name().clone()).collect();
    let before = std::mem::replace(&mut *sources.shown.lock(), guarded);
    before
        .iter()
        .for_each(|link| export_breaker_state(None, link));
    for link in links {
        if let Some(own) = link.admission() {
            export_admission(own, "link", link.name());
        }
        if let Some(breaker) = link.breaker() {
            export_breaker_state(Some(breaker.state()), link.name());
        }
    }
    export_backend_work();
    // An unavailable event log must not hide the other metrics; its gauges keep their last values.
    let is_log_available = events(&sources).await.is_ok();
    gauge!("socar_event_log_up").set(f64::from(u8::from(is_log_available)));
    text(
        "text/plain; version=0.0.4; charset=utf-8",
        sources.recorder.render(),
    )
}

fn export_backend_work() {
    for (label, database) in [
        ("state", CountedDatabase::State),
        ("component", CountedDatabase::Component),
    ] {
        counter!("socar_sqlite_statements_total", "database" => label)
            .absolute(statements(database));
    }
    for (label, kind) in [
        ("plain", CountedCommand::Plain),
        ("script", CountedCommand::Script),
    ] {
        counter!("socar_redis_commands_total", "kind" => label).absolute(commands(kind));
    }
}

fn export_instances(stats: PoolStats, component: &str) {
    let of = |metric: &'static str, value: usize| {
        gauge!(metric, "component" => component.to_owned()).set(value as f64);
    };
    of("socar_instances", stats.alive);
    of("socar_instances_busy", stats.busy);
    of("socar_instances_max", stats.max);
}

/// Sets the gauges of an admission: of a component, or of a link with permits of its own.
fn export_admission(admission: &Admission, label: &'static str, name: &str) {
    let admission = admission.snapshot();
    let of = |metric: &'static str, value: usize| {
        gauge!(metric, label => name.to_owned()).set(value as f64);
    };
    of("socar_calls_running", admission.running);
    of("socar_calls_waiting", admission.waiting);
    of("socar_concurrency_limit", admission.concurrency);
}

fn export_breaker_state(present: Option<BreakerState>, link: &str) {
    for state in STATES {
        let is_present = f64::from(u8::from(Some(state) == present));
        gauge!("socar_breaker_state", "link" => link.to_owned(), "state" => state.as_str())
            .set(is_present);
    }
}

async fn events(sources: &MetricSources) -> Result<(), LogError> {
    for stream in sources.current.get().streams() {
        for group in sources.log.groups(&stream).await? {
            let of = |name: &'static str, value: u64| {
                let labels = [("stream", stream.clone()), ("group", group.group.clone())];
                gauge!(name, &labels).set(value as f64);
            };
            of("socar_event_lag", group.lag);
            of("socar_event_pending", group.pending);
        }
    }
    let letters = sources.log.length(DEAD_LETTERS).await?;
    gauge!("socar_dead_letters").set(letters as f64);
    Ok(())
}
