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
use crate::generation::CurrentGeneration;
use crate::instance::pool::PoolStats;
use crate::link::registry::LinkRegistry;
use crate::metrics::MetricsRecorder;
use crate::process_metrics;
use crate::trigger::events;
use crate::trigger::http::connections::ConnectionTracker;
use event_log::retention::Retention;
use event_log::{DEAD_LETTERS, EventLog, GroupState, LogError, READ_INTERVAL};
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

/// The silence after which the group of a single host, or a group that this application does not use, is left out.
const SILENCE: Duration = Duration::from_secs(60);

/// The time without a reader after which a stream of a group that this application does not use there is left out. A log
/// notes readers after [`READ_INTERVAL`].
const UNREAD: Duration = READ_INTERVAL.saturating_mul(2);

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
        let retention = &generation.retention;
        let used = states
            .into_iter()
            .filter(|state| is_used(&stream, state, retention));
        groups.extend(used.map(|state| (stream.clone(), state)));
    }
    Ok(EventGauges {
        groups,
        dead_letters: Some(sources.log.length(DEAD_LETTERS).await?),
    })
}

/// Whether anything reads the stream on behalf of the group, or will: the lag of a group that nothing will ever use is no
/// alarm.
fn is_used(stream: &str, state: &GroupState, retention: &Retention) -> bool {
    let is_alive = state.silence.is_some_and(|silence| silence < SILENCE);
    match retention.uses(stream, &state.group) {
        true => is_alive || !state.is_of_one_host(),
        false => is_alive && state.unread.is_some_and(|unread| unread < UNREAD),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use event_log::delivery::Audience;
    use event_log::retention::StreamReader;

    use super::*;

    #[test]
    fn the_lag_of_what_no_component_reads_any_more_is_left_out() {
        let reader = |component: &str, audience| StreamReader {
            stream: "socar.car".to_owned(),
            component: component.to_owned(),
            audience,
        };
        let readers = [
            reader("message", Audience::Shared),
            reader("viewpage", Audience::EachHost),
        ];
        let retention = Retention::new(None, BTreeSet::from(readers));
        let is_used = |stream: &str, group: &str, silence: u64, unread: u64| {
            let state = GroupState {
                group: group.to_owned(),
                pending: 0,
                lag: 1,
                silence: Some(Duration::from_secs(silence)),
                unread: Some(Duration::from_secs(unread)),
            };
            super::is_used(stream, &state, &retention)
        };
        const DAY: u64 = 24 * 3600;
        // The group of a component waits for it, and that of a host ends with the host.
        assert!(is_used("socar.car", "message", DAY, DAY));
        assert!(is_used("socar.car", "viewpage@host", 0, 300));
        assert!(!is_used("socar.car", "viewpage@host", DAY, DAY));
        // The hosts of the groups are alive, and read other streams.
        for group in ["message", "viewpage@host"] {
            assert!(!is_used("socar.payment", group, 0, DAY), "{group}");
        }
        // The component was renamed, or has another audience.
        for group in ["view@host", "viewpage"] {
            assert!(!is_used("socar.car", group, 0, DAY), "{group}");
        }
        assert!(is_used("socar.car", "of-another-application", 0, 300));
    }
}
