//! The metrics of a link. The handles are created once, so that a call updates a few atomic numbers and looks up no
//! names.

use std::sync::Arc;
use std::time::Instant;

use metrics::{Counter, Histogram, counter, histogram};
use resilience::breaker::BreakerState;

use super::outcome::{AttemptError, CallFailure};
use super::request::LinkResponse;

/// The metrics of one link.
pub(super) struct LinkMetrics {
    /// Responses by the class of the status: 1xx to 5xx.
    answered: [Counter; 5],
    /// Failed calls by reason, in the order of [`FAILURES`].
    failed: [Counter; FAILURES.len()],
    /// Durations of answered and of failed calls: a rejection takes no time, and would hide how slow the answers are.
    seconds: [Histogram; 2],
    retries: Counter,
    fallbacks: Counter,
    /// Present if the link has a breaker.
    cut_off: Option<Counter>,
}

/// The reasons of failed calls and their labels.
const FAILURES: [(CallFailure, &str); 5] = [
    (CallFailure::Shed, "shed"),
    (CallFailure::BreakerOpen, "cut-off"),
    (CallFailure::Deadline, "deadline"),
    (CallFailure::Trap, "trap"),
    (CallFailure::Other, "none"),
];

/// Counts how often a breaker entered each state.
#[derive(Clone)]
pub(super) struct TransitionCounter(Arc<str>);

// === impl LinkMetrics ===

impl LinkMetrics {
    pub fn new(link: &Arc<str>) -> Self {
        let calls = |outcome: &'static str| counter!("socar_calls_total", "link" => link.to_string(), "outcome" => outcome);
        let of_link = |name: &'static str| counter!(name, "link" => link.to_string());
        Self {
            answered: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(calls),
            failed: FAILURES.map(|(_, outcome)| calls(outcome)),
            seconds: ["answered", "failed"].map(|outcome| {
                histogram!("socar_call_seconds", "link" => link.to_string(), "outcome" => outcome)
            }),
            retries: of_link("socar_retries_total"),
            fallbacks: of_link("socar_fallbacks_total"),
            cut_off: None,
        }
    }

    /// Counts the calls that a breaker rejects, too.
    pub fn with_breaker(self, link: &Arc<str>) -> Self {
        let cut_off = counter!("socar_breaker_refused_total", "link" => link.to_string());
        Self {
            cut_off: Some(cut_off),
            ..self
        }
    }

    pub fn count<A: LinkResponse, E: AttemptError>(&self, answer: &Result<A, E>, begun: Instant) {
        let mut is_answered = false;
        match answer {
            Ok(response) => {
                is_answered = !response.status().is_server_error();
                let class = usize::from(response.status().as_u16() / 100);
                if let Some(counter) = self.answered.get(class.wrapping_sub(1)) {
                    counter.increment(1);
                }
            }
            Err(error) => self.count_unanswered(error.failure()),
        }
        let [answered, failed] = &self.seconds;
        let seconds = if is_answered { answered } else { failed };
        seconds.record(begun.elapsed());
    }

    fn count_unanswered(&self, outcome: CallFailure) {
        let mut counters = FAILURES.iter().zip(&self.failed);
        if let Some((_, counter)) = counters.find(|((it, _), _)| *it == outcome) {
            counter.increment(1);
        }
    }

    /// Counts an attempt that the open breaker rejected.
    pub fn count_cut_off(&self) {
        if let Some(counter) = &self.cut_off {
            counter.increment(1);
        }
    }

    pub fn count_retry(&self) {
        self.retries.increment(1);
    }

    pub fn count_fallback(&self) {
        self.fallbacks.increment(1);
    }
}

// === impl TransitionCounter ===

impl TransitionCounter {
    pub fn of(link: &Arc<str>) -> Self {
        Self(link.clone())
    }

    pub fn count(&self, to: BreakerState) {
        let link = self.0.to_string();
        counter!("socar_breaker_transitions_total", "link" => link, "to" => to.as_str())
            .increment(1);
    }
}
