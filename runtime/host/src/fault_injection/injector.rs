//! The faults of a platform: what is on, where it matching, and when it ends.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::ANY_REMOTE;

/// The longest spec, in seconds.
const MAX_SECONDS: u64 = 3600;

/// Experiments that may be on at the same time.
const MAX_ACTIVE: usize = 100;

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
pub struct FaultSpec {
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

/// An spec that is on.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveFault {
    /// To end it before its time.
    pub id: u64,
    /// What it does.
    #[serde(flatten)]
    pub spec: FaultSpec,
    #[serde(skip)]
    until: Instant,
}

/// All faults of a platform.
#[derive(Default)]
pub struct FaultInjector(Mutex<ActiveFaults>);

#[derive(Default)]
struct ActiveFaults {
    last: u64,
    running: BTreeMap<u64, ActiveFault>,
}

fn always() -> f64 {
    1.0
}

// === impl FaultInjector ===

impl FaultInjector {
    /// Begins an spec.
    ///
    /// # Errors
    /// When it makes no sense; the message says what would.
    pub fn begin(&self, spec: FaultSpec) -> Result<ActiveFault, String> {
        if !(1..=MAX_SECONDS).contains(&spec.seconds) {
            return Err(format!("seconds: a number from 1 to {MAX_SECONDS}"));
        }
        if !(spec.rate > 0.0 && spec.rate <= 1.0) {
            return Err("rate: more than 0, and 1 at most".to_owned());
        }
        if spec.is_remote() && !matches!(spec.fault, Fault::Latency | Fault::Error) {
            return Err("fault: `latency` or `error`, for a host elsewhere".to_owned());
        }
        let is_delayed = spec.fault == Fault::Latency;
        if is_delayed != (spec.latency_ms > 0) {
            return Err("latency_ms: how long, for the fault `latency` and no other".to_owned());
        }
        let mut active = self.0.lock();
        active.expire(Instant::now());
        if active.running.len() >= MAX_ACTIVE {
            return Err(format!("{MAX_ACTIVE} faults are on: end one first"));
        }
        active.last += 1;
        let running = ActiveFault {
            id: active.last,
            until: Instant::now() + Duration::from_secs(spec.seconds),
            spec,
        };
        info!(spec = ?running.spec, "chaos begins");
        active.running.insert(running.id, running.clone());
        Ok(running)
    }

    /// Those that are on.
    pub fn list(&self) -> Vec<ActiveFault> {
        let mut active = self.0.lock();
        active.expire(Instant::now());
        active.running.values().cloned().collect()
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
    pub(super) fn matching(&self, from: &str, to: &str) -> Vec<(Fault, Duration)> {
        let mut active = self.0.lock();
        active.expire(Instant::now());
        let concerned = active.running.values().map(|running| &running.spec);
        concerned
            .filter(|it| it.matches_target(to) && it.from.as_deref().is_none_or(|it| it == from))
            .filter(|it| fastrand::f64() < it.rate)
            .map(|it| (it.fault, Duration::from_millis(it.latency_ms)))
            .collect()
    }
}

impl FaultSpec {
    fn is_remote(&self) -> bool {
        self.to == ANY_REMOTE || self.to.contains("://")
    }

    /// `to` is a component or an origin.
    fn matches_target(&self, to: &str) -> bool {
        self.to == to || (self.to == ANY_REMOTE && to.contains("://"))
    }
}

impl ActiveFaults {
    fn expire(&mut self, now: Instant) {
        self.running.retain(|_, running| now < running.until);
    }
}

#[cfg(test)]
mod tests {
    use super::super::OUTSIDE;
    use super::*;

    fn spec() -> FaultSpec {
        FaultSpec {
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
        let injector = FaultInjector::default();
        let id = injector.begin(spec()).unwrap().id;
        assert_eq!(injector.matching("reservation", "payment").len(), 1);
        assert_eq!(injector.matching(OUTSIDE, "payment").len(), 0);
        assert_eq!(injector.matching("reservation", "car").len(), 0);
        assert!(injector.end(id));
        assert_eq!(injector.matching("reservation", "payment").len(), 0);
    }

    #[test]
    fn one_host_elsewhere_is_struck_or_all_of_them() {
        let matching = |to: &str| {
            let injector = FaultInjector::default();
            let outbound = FaultSpec {
                to: to.to_owned(),
                ..spec()
            };
            injector.begin(outbound).unwrap();
            ["https://bank:443", "https://post:443", "payment"]
                .map(|to| injector.matching("reservation", to).len())
        };
        assert_eq!(matching(ANY_REMOTE), [1, 1, 0]);
        assert_eq!(matching("https://bank:443"), [1, 0, 0]);
    }

    #[test]
    fn an_experiment_ends_by_itself() {
        let injector = FaultInjector::default();
        let until = injector.begin(spec()).unwrap().until;
        let mut active = injector.0.lock();
        active.expire(until - Duration::from_millis(1));
        assert_eq!(active.running.len(), 1);
        active.expire(until);
        assert!(active.running.is_empty());
    }

    #[test]
    fn an_experiment_without_sense_is_refused() {
        let injector = FaultInjector::default();
        for bad in [
            FaultSpec {
                seconds: 0,
                ..spec()
            },
            FaultSpec {
                seconds: MAX_SECONDS + 1,
                ..spec()
            },
            FaultSpec {
                rate: 0.0,
                ..spec()
            },
            FaultSpec {
                rate: f64::NAN,
                ..spec()
            },
            FaultSpec {
                latency_ms: 5,
                ..spec()
            },
            FaultSpec {
                fault: Fault::Latency,
                ..spec()
            },
            FaultSpec {
                to: ANY_REMOTE.to_owned(),
                fault: Fault::Trap,
                ..spec()
            },
        ] {
            assert!(injector.begin(bad).is_err());
        }
    }
}
