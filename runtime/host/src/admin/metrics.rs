//! `/metrics`, in the text format of Prometheus.
//!
//! Events are counted where they occur ([`crate::link`]). Gauges of the current state (connections, breakers, permits,
//! lag) are set here on each request, so that they cost nothing between requests. A gauge that is not set any more,
//! because its component, link or group is gone, is left out.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use resilience::breaker::BreakerState;

use super::response::{AdminResponse, text};
use super::routes::{AdminRequest, AdminRoutes};
use crate::admission::Admission;
use crate::changes::ChangeFeeds;
use crate::generation::{CurrentGeneration, Generation};
use crate::instance::pool::PoolStats;
use crate::link::registry::LinkRegistry;
use crate::metrics::MetricsRecorder;
use crate::process_metrics;
use crate::trigger::events;
use crate::trigger::http::connections::ConnectionTracker;
use event_log::{DEAD_LETTERS, EventLog, GroupState, LogError};
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
    /// Open client connections.
    pub connections: Arc<ConnectionTracker>,
    /// Clients that listen for changes.
    pub changes: ChangeFeeds,
}

/// The silence after which the group of a single host, or of a component that this application does not have, is left
/// out.
const SILENCE: Duration = Duration::from_secs(60);

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
    // The log may take its time, and no other request may come between the gauges and their text.
    let of_log = of_event_log(&sources).await;
    // An unavailable event log must not hide the other metrics.
    gauge!("socar_event_log_up").set(f64::from(u8::from(of_log.is_ok())));
    of_log.unwrap_or_default().export();
    gauge!("socar_connections").set(sources.connections.count() as f64);
    let generation = sources.current.get();
    generation
        .subscriptions
        .iter()
        .for_each(|it| events::register_metrics(&it.component));
    sources.changes.export(&generation.changes);
    for (id, ingress) in &generation.components {
        ingress.admission.register_metrics();
        export_admission(&ingress.admission, "component", id);
        export_instances(ingress.component.stats(), id);
    }
    for link in sources.links.all() {
        if let Some(own) = link.admission() {
            export_admission(own, "link", link.name());
        }
        if let Some(breaker) = link.breaker() {
            export_breaker_state(breaker.state(), link.name());
        }
    }
    export_backend_work();
    gauge!("socar_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    process_metrics::export();
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

fn export_breaker_state(present: BreakerState, link: &str) {
    for state in STATES {
        let is_present = f64::from(u8::from(state == present));
        gauge!("socar_breaker_state", "link" => link.to_owned(), "state" => state.as_str())
            .set(is_present);
    }
}

/// What the event log tells of its groups.
#[derive(Default)]
struct EventGauges {
    groups: Vec<(String, GroupState)>,
    dead_letters: Option<u64>,
}

impl EventGauges {
    fn export(self) {
        for (stream, group) in self.groups {
            let labels = [("stream", stream), ("group", group.group)];
            gauge!("socar_event_lag", &labels).set(group.lag as f64);
            gauge!("socar_event_pending", &labels).set(group.pending as f64);
        }
        if let Some(letters) = self.dead_letters {
            gauge!("socar_dead_letters").set(letters as f64);
        }
    }
}

/// # Errors
/// If the log is unavailable.
async fn of_event_log(sources: &MetricSources) -> Result<EventGauges, LogError> {
    let generation = sources.current.get();
    let mut groups = Vec::new();
    for stream in generation.streams() {
        let states = sources.log.groups(&stream).await?;
        let used = states.into_iter().filter(|it| is_used(it, &generation));
        groups.extend(used.map(|state| (stream.clone(), state)));
    }
    Ok(EventGauges {
        groups,
        dead_letters: Some(sources.log.length(DEAD_LETTERS).await?),
    })
}

/// Whether anything reads on behalf of the group, or will: the lag of a group that nothing will ever use is no alarm.
fn is_used(state: &GroupState, generation: &Generation) -> bool {
    let mut subscriptions = generation.subscriptions.iter();
    let is_alive = state.silence.is_some_and(|silence| silence < SILENCE);
    is_alive || subscriptions.any(|it| it.component == state.group)
}
