//! Trouble on request: what an operator may do to a link, to see that the platform bears it.
//!
//! A platform that was not started with `--chaos` has no laboratory, and a call costs nothing for it. With one, a call
//! that is about to enter an instance first asks whether an [`Experiment`] is on for its link. Delays and refusals are
//! made here. Traps, endless loops and hoards are real: the call is given, instead of an instance of its component, one
//! of a tiny module of our own, in a store with the same memory limit and under the same epochs and deadline, so that
//! what ends a misbehaving guest is what ends this one. Every experiment has an end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::info;
use wasmtime::{Engine, Instance, Module};

use crate::call::Call;
use crate::capability::Grants;
use crate::instance::{self, messages::Unhandled};
use crate::problem::Problem;

/// The longest experiment, in seconds.
const LONGEST: u64 = 3600;

/// Experiments that may be on at the same time.
const MOST: usize = 100;

/// Who calls, when it is no component.
const OUTSIDE: &str = "outside";
const EVENTS: &str = "events";

/// A guest that does one bad thing. It hoards in steps of a mebibyte, and fails like an allocator when there is no more.
const MISBEHAVIOUR: &str = r#"
(module
  (memory 1)
  (func (export "trap") unreachable)
  (func (export "spin") (loop $forever (br $forever)))
  (func (export "hoard")
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable))
"#;

/// What is done to calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// They wait for `latency_ms` first.
    Latency,
    /// They are answered with 503, and no instance sees them.
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
    /// The component that is called.
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

/// A component that experiments can be done with.
pub struct Subject {
    laboratory: Arc<Laboratory>,
    engine: Engine,
    grants: Arc<Grants>,
    misbehaviour: Module,
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

    fn strikes(&self, from: &str, to: &str) -> Vec<(Fault, Duration)> {
        let mut book = self.0.lock();
        book.forget(Instant::now());
        let concerned = book.running.values().map(|running| &running.experiment);
        concerned
            .filter(|it| it.to == to && it.from.as_deref().is_none_or(|it| it == from))
            .filter(|it| fastrand::f64() < it.rate)
            .map(|it| (it.fault, Duration::from_millis(it.latency_ms)))
            .collect()
    }
}

impl Book {
    fn forget(&mut self, now: Instant) {
        self.running.retain(|_, running| now < running.until);
    }
}

// === impl Subject ===

impl Subject {
    /// A component for the laboratory.
    ///
    /// # Errors
    /// When the misbehaving module does not compile.
    pub fn new(
        laboratory: Arc<Laboratory>,
        engine: &Engine,
        grants: Arc<Grants>,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            laboratory,
            misbehaviour: Module::new(engine, MISBEHAVIOUR)?,
            engine: engine.clone(),
            grants,
        })
    }

    /// What happens to a request before an instance gets it.
    ///
    /// # Errors
    /// The problem, if an experiment leaves nothing else to answer.
    pub async fn strike_request(&self, call: &Call) -> Result<(), Problem> {
        let component = || self.grants.component.to_string();
        let from = call.caller.as_deref().unwrap_or(OUTSIDE);
        for (fault, latency) in self.laboratory.strikes(from, &component()) {
            match fault {
                Fault::Drop => {}
                Fault::Latency => {
                    self.wait(latency, call)
                        .await
                        .map_err(|Late| Problem::DeadlineExceeded {
                            component: component(),
                        })?
                }
                Fault::Error => {
                    return Err(Problem::Overloaded {
                        who: format!("component `{}`", component()),
                        retry_after: Duration::from_secs(1),
                    });
                }
                Fault::Trap | Fault::Spin | Fault::Hoard => {
                    return Err(match self.misbehave(fault, call).await {
                        Ok(_) => Problem::ComponentTrapped {
                            component: component(),
                        },
                        Err(Late) => Problem::DeadlineExceeded {
                            component: component(),
                        },
                    });
                }
            }
        }
        Ok(())
    }

    /// What happens to an event before an instance gets it.
    ///
    /// # Errors
    /// Why it is not handled, if an experiment wants that.
    pub async fn strike_event(&self, call: &Call) -> Result<(), Unhandled> {
        let component = || self.grants.component.clone();
        for (fault, latency) in self.laboratory.strikes(EVENTS, &component()) {
            let struck = match fault {
                Fault::Latency => self.wait(latency, call).await.map(|()| None),
                Fault::Drop => {
                    return Err(Unhandled::Dropped {
                        component: component(),
                    });
                }
                Fault::Error => Ok(Some(wasmtime::Error::msg("an experiment"))),
                Fault::Trap | Fault::Spin | Fault::Hoard => {
                    self.misbehave(fault, call).await.map(Some)
                }
            };
            match struck {
                Ok(None) => {}
                Ok(Some(error)) => {
                    return Err(Unhandled::Failed {
                        component: component(),
                        source: error.into(),
                    });
                }
                Err(Late) => {
                    return Err(Unhandled::Late {
                        component: component(),
                    });
                }
            }
        }
        Ok(())
    }

    async fn wait(&self, latency: Duration, call: &Call) -> Result<(), Late> {
        let work = tokio::time::sleep(latency);
        let waited = tokio::time::timeout_at(call.deadline.into(), work).await;
        waited.map_err(|_| Late)
    }

    /// Does it, and returns what Wasmtime says of it.
    async fn misbehave(&self, fault: Fault, call: &Call) -> Result<wasmtime::Error, Late> {
        let work = async {
            let mut store = instance::store(&self.engine, &self.grants)?;
            let guest = Instance::new_async(&mut store, &self.misbehaviour, &[]).await?;
            let deed = match fault {
                Fault::Spin => "spin",
                Fault::Hoard => "hoard",
                _ => "trap",
            };
            let deed = guest.get_typed_func::<(), ()>(&mut store, deed)?;
            deed.call_async(&mut store, ()).await
        };
        match tokio::time::timeout_at(call.deadline.into(), work).await {
            Ok(Ok(())) => Ok(wasmtime::Error::msg("it did nothing bad")),
            Ok(Err(error)) => Ok(error),
            Err(_) => Err(Late),
        }
    }
}

/// The deadline of the call came first.
struct Late;

#[cfg(test)]
mod tests {
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
        ] {
            assert!(laboratory.begin(bad).is_err());
        }
    }
}
