//! What a link counts. The handles are made once, so that a call touches a few atomic numbers and no table of names.

use std::sync::Arc;
use std::time::Instant;

use http::Response;
use metrics::{Counter, Histogram, counter, histogram};
use resilience::breaker::State;
use wasmtime_wasi_http::WasiBody;

use super::attempt::NoAnswer;

/// The numbers of one link.
pub(super) struct Meters {
    /// By the class of the status: 1xx to 5xx.
    answered: [Counter; 5],
    unanswered: Counter,
    seconds: Histogram,
    retries: Counter,
    fallbacks: Counter,
    transitions: Transitions,
}

/// How often a breaker entered each state.
#[derive(Clone)]
pub(super) struct Transitions(Arc<str>);

// === impl Meters ===

impl Meters {
    pub fn new(link: &Arc<str>) -> Self {
        let calls = |outcome: &'static str| counter!("socar_calls_total", "link" => link.to_string(), "outcome" => outcome);
        let of_link = |name: &'static str| counter!(name, "link" => link.to_string());
        Self {
            answered: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(calls),
            unanswered: calls("none"),
            seconds: histogram!("socar_call_seconds", "link" => link.to_string()),
            retries: of_link("socar_retries_total"),
            fallbacks: of_link("socar_fallbacks_total"),
            transitions: Transitions(link.clone()),
        }
    }

    pub fn count<E: NoAnswer>(&self, answer: &Result<Response<WasiBody>, E>, begun: Instant) {
        let class = answer
            .as_ref()
            .ok()
            .map(|response| usize::from(response.status().as_u16() / 100));
        let counter = class.and_then(|class| self.answered.get(class.wrapping_sub(1)));
        counter.unwrap_or(&self.unanswered).increment(1);
        self.seconds.record(begun.elapsed());
    }

    /// A call that was over before it began.
    pub fn count_refusal(&self) {
        self.unanswered.increment(1);
        self.seconds.record(0.0);
    }

    pub fn count_retry(&self) {
        self.retries.increment(1);
    }

    pub fn count_fallback(&self) {
        self.fallbacks.increment(1);
    }

    pub fn transitions(&self) -> Transitions {
        self.transitions.clone()
    }
}

// === impl Transitions ===

impl Transitions {
    pub fn count(&self, to: State) {
        let link = self.0.to_string();
        counter!("socar_breaker_transitions_total", "link" => link, "to" => to.as_str())
            .increment(1);
    }
}
