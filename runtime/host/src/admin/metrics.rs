//! `/metrics`, in the text format of Prometheus.
//!
//! What happens is counted where it happens ([`crate::link`]). What merely *is* (states, places, backlogs) is looked at
//! here when somebody asks, so that nobody pays for it otherwise.

use std::sync::Arc;

use metrics::{counter, gauge};
use resilience::Priority;
use resilience::breaker::State;

use super::answer::{Answer, text};
use super::routes::{Asked, Routes};
use crate::app::Components;
use crate::app::generation::Current;
use crate::link::switchboard::Board;
use crate::log::{DEAD, EventLog, LogError};
use crate::metrics::Meter;

/// Where everything is that can be measured.
#[derive(Clone)]
pub struct Measured {
    /// Renders.
    pub meter: Meter,
    /// The components and their doors.
    pub current: Current,
    /// The links and their breakers.
    pub board: Board,
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The streams whose readers may lag behind.
    pub streams: Vec<String>,
}

const STATES: [State; 5] = [
    State::Closed,
    State::Open,
    State::HalfOpen,
    State::ForcedOpen,
    State::Disabled,
];

/// What can be measured.
pub fn routes(measured: Measured) -> Routes<Measured> {
    Routes::of(measured).get("/metrics", render)
}

async fn render(measured: Measured, _: Asked) -> Answer {
    doors(&measured.current.get().components);
    breakers(&measured.board);
    // A log that is away is no reason to hide the rest; its gauges keep what was last known.
    let is_log_here = events(&measured).await.is_ok();
    gauge!("socar_event_log_up").set(f64::from(u8::from(is_log_here)));
    text(
        "text/plain; version=0.0.4; charset=utf-8",
        measured.meter.render(),
    )
}

fn doors(components: &Components) {
    for (id, component) in components {
        let door = component.door();
        let of = |name: &'static str, value: usize| {
            gauge!(name, "component" => id.clone()).set(value as f64);
        };
        of("socar_calls_running", door.running);
        of("socar_calls_waiting", door.waiting);
        of("socar_concurrency_limit", door.concurrency);
        for (priority, refused) in Priority::ALL.iter().zip(door.refused) {
            let labels = [
                ("component", id.clone()),
                ("priority", priority.to_string()),
            ];
            counter!("socar_calls_shed_total", &labels).absolute(refused);
        }
    }
}

fn breakers(board: &Board) {
    for link in board.all() {
        let Some(breaker) = link.breaker() else {
            continue;
        };
        let present = breaker.state();
        for state in STATES {
            let is_present = f64::from(u8::from(state == present));
            gauge!(
                "socar_breaker_state",
                "link" => link.name().to_string(),
                "state" => state.as_str()
            )
            .set(is_present);
        }
        let refused = breaker.snapshot().totals.refused;
        counter!("socar_breaker_refused_total", "link" => link.name().to_string())
            .absolute(refused);
    }
}

async fn events(measured: &Measured) -> Result<(), LogError> {
    for stream in &measured.streams {
        for group in measured.log.groups(stream).await? {
            let of = |name: &'static str, value: u64| {
                let labels = [("stream", stream.clone()), ("group", group.group.clone())];
                gauge!(name, &labels).set(value as f64);
            };
            of("socar_event_lag", group.lag);
            of("socar_event_pending", group.pending);
        }
    }
    let letters = measured.log.length(DEAD).await?;
    gauge!("socar_dead_letters").set(letters as f64);
    Ok(())
}
