//! The experiments of a platform: what is on, where it strikes, and when it ends.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::OUTBOUND;

/// The longest experiment, in seconds.
const LONGEST: u64 = 3600;

/// Experiments that may be on at the same time.
const MOST: usize = 100;

/// What is done to calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// They wait for `latency_ms` first.
    Latency,
    /// They are answered with 503, a failure like any other, and no instance sees them.
    Error,
    /// Their instance traps.
    Trap,
    /// Their instance computes until the deadline.
    Spin,
    /// Their instance takes all the memory it can get.
    Hoard,
    /// Events do not arrive; they are delivered again later, without counting as failed.
    Drop,
}

/// What an operator wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The component that is called; `outbound` for hosts elsewhere, or the origin of one.
    pub to: String,
    /// Who calls: a component, `outside` or `events`; anybody if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happens.
    pub fault: Fault,
    /// How long `latency` is.
    #[serde(default)]
    pub latency_ms: u64,
    /// The part of the calls it happens to.
    #[serde(default = "always")]
    pub rate: f64,
    /// When it ends by itself.
    pub seconds: u64,
}

/// An experiment that is on.
#[derive(Clone, Debug, Serialize)]
pub struct Running {
    /// To end it before its time.
    pub id: u64,
    /// What it does.
    #[serde(flatten)]
    pub experiment: Experiment,
    #[serde(skip)]
    until: Instant,
}

/// All experiments of a platform.
#[derive(Default)]
pub struct Laboratory(Mutex<Book>);

#[derive(Default)]
struct Book {
    last: u64,
    running: BTreeMap<u64, Running>,
}

fn always() -> f64 {
    1.0
}

// === impl Laboratory ===

impl Laboratory {
    /// Begins an experiment.
    ///
    /// # Errors
    /// When it makes no sense; the message says what would.
    pub fn begin(&self, experiment: Experiment) -> Result<Running, String> {
        if !(1..=LONGEST).contains(&experiment.seconds) {
            return Err(format!("seconds: a number from 1 to {LONGEST}"));
        }
        if !(experiment.rate > 0.0 && experiment.rate <= 1.0) {
            return Err("rate: more than 0, and 1 at most".to_owned());
        }
        if experiment.leads_outside() && !matches!(experiment.fault, Fault::Latency | Fault::Error)
        {
            return Err("fault: `latency` or `error`, for a host elsewhere".to_owned());
        }
        let is_delayed = experiment.fault == Fault::Latency;
        if is_delayed != (experiment.latency_ms > 0) {
            return Err("latency_ms: how long, for the fault `latency` and no other".to_owned());
        }
        let mut book = self.0.lock();
        book.forget(Instant::now());
        if book.running.len() >= MOST {
            return Err(format!("{MOST} experiments are on: end one first"));
        }
        book.last += 1;
        let running = Running {
            id: book.last,
            until: Instant::now() + Duration::from_secs(experiment.seconds),
            experiment,
        };
        info!(experiment = ?running.experiment, "chaos begins");
        book.running.insert(running.id, running.clone());
        Ok(running)
    }

    /// Those that are on.
    pub fn list(&self) -> Vec<Running> {
        let mut book = self.0.lock();
        book.forget(Instant::now());
        book.running.values().cloned().collect()
    }

    /// Ends one; says whether it was on.
    pub fn end(&self, id: u64) -> bool {
        self.0.lock().running.remove(&id).is_some()
    }

    /// Ends all.
    pub fn end_all(&self) {
        self.0.lock().running.clear();
    }

    /// What happens to one call.
    pub(super) fn strikes(&self, from: &str, to: &str) -> Vec<(Fault, Duration)> {
        let mut book = self.0.lock();
        book.forget(Instant::now());
        let concerned = book.running.values().map(|running| &running.experiment);
        concerned
            .filter(|it| it.leads_to(to) && it.from.as_deref().is_none_or(|it| it == from))
            .filter(|it| fastrand::f64() < it.rate)
            .map(|it| (it.fault, Duration::from_millis(it.latency_ms)))
            .collect()
    }
}

impl Experiment {
    fn leads_outside(&self) -> bool {
        self.to == OUTBOUND || self.to.contains("://")
    }

    /// `to` is a component or an origin.
    fn leads_to(&self, to: &str) -> bool {
        self.to == to || (self.to == OUTBOUND && to.contains("://"))
    }
}

impl Book {
    fn forget(&mut self, now: Instant) {
        self.running.retain(|_, running| now < running.until);
    }
}

#[cfg(test)]
mod tests {
    use super::super::OUTSIDE;
    use super::*;

    fn experiment() -> Experiment {
        Experiment {
            to: "payment".to_owned(),
            from: Some("reservation".to_owned()),
            fault: Fault::Error,
            latency_ms: 0,
            rate: 1.0,
            seconds: 60,
        }
    }

    #[test]
    fn only_the_link_it_is_meant_for_is_struck() {
        let laboratory = Laboratory::default();
        let id = laboratory.begin(experiment()).unwrap().id;
        assert_eq!(laboratory.strikes("reservation", "payment").len(), 1);
        assert_eq!(laboratory.strikes(OUTSIDE, "payment").len(), 0);
        assert_eq!(laboratory.strikes("reservation", "car").len(), 0);
        assert!(laboratory.end(id));
        assert_eq!(laboratory.strikes("reservation", "payment").len(), 0);
    }

    #[test]
    fn one_host_elsewhere_is_struck_or_all_of_them() {
        let strikes = |to: &str| {
            let laboratory = Laboratory::default();
            let outbound = Experiment {
                to: to.to_owned(),
                ..experiment()
            };
            laboratory.begin(outbound).unwrap();
            ["https://bank:443", "https://post:443", "payment"]
                .map(|to| laboratory.strikes("reservation", to).len())
        };
        assert_eq!(strikes(OUTBOUND), [1, 1, 0]);
        assert_eq!(strikes("https://bank:443"), [1, 0, 0]);
    }

    #[test]
    fn an_experiment_ends_by_itself() {
        let laboratory = Laboratory::default();
        let until = laboratory.begin(experiment()).unwrap().until;
        let mut book = laboratory.0.lock();
        book.forget(until - Duration::from_millis(1));
        assert_eq!(book.running.len(), 1);
        book.forget(until);
        assert!(book.running.is_empty());
    }

    #[test]
    fn an_experiment_without_sense_is_refused() {
        let laboratory = Laboratory::default();
        for bad in [
            Experiment {
                seconds: 0,
                ..experiment()
            },
            Experiment {
                seconds: LONGEST + 1,
                ..experiment()
            },
            Experiment {
                rate: 0.0,
                ..experiment()
            },
            Experiment {
                rate: f64::NAN,
                ..experiment()
            },
            Experiment {
                latency_ms: 5,
                ..experiment()
            },
            Experiment {
                fault: Fault::Latency,
                ..experiment()
            },
            Experiment {
                to: OUTBOUND.to_owned(),
                fault: Fault::Trap,
                ..experiment()
            },
        ] {
            assert!(laboratory.begin(bad).is_err());
        }
    }
}
