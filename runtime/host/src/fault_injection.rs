//! Trouble on request: what an operator may do to a link, to see that the platform bears it.
//!
//! A platform that was not started with `--chaos` has no injector, and a call costs nothing for it. With one, a call
//! that is about to enter an instance first asks whether an [`FaultSpec`] is on for its link. Delays and refusals are
//! made here. Traps, endless loops and hoards are real: the call is given, instead of an instance of its component, one
//! of a tiny module of our own, in a store with the same memory limit and under the same epochs and deadline, so that
//! what ends a misbehaving guest is what ends this one. A request that is about to leave the platform asks likewise
//! ([`outside`]). Every spec has an end ([`injector`]).

mod injector;
mod remote;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Engine, Instance, Module};

use crate::call::Call;
use crate::capability::Grants;
use crate::instance::{self, events::EventError};
use crate::problem::Problem;
use crate::runtimes::RuntimeHandle;

pub use injector::{ActiveFault, Fault, FaultInjector, FaultSpec};
pub use remote::RemoteFaults;

/// Who calls, when it is no component.
const OUTSIDE: &str = "outside";
const EVENTS: &str = "events";

/// Who is called, when it is any host elsewhere.
const ANY_REMOTE: &str = "outbound";

/// A guest that does one bad thing. It hoards in steps of a mebibyte, and fails like an allocator when there is no more.
const FAULTY_MODULE: &str = r#"
(module
  (memory 1)
  (func (export "trap") unreachable)
  (func (export "spin") (loop $forever (br $forever)))
  (func (export "hoard")
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable))
"#;

/// A component that faults can be done with.
pub struct FaultTarget {
    injector: Arc<FaultInjector>,
    engine: Engine,
    grants: Arc<Grants>,
    faulty_module: Module,
    /// Where requests are handled: who misbehaves instead of an instance takes its thread, and nobody else's.
    runtime: RuntimeHandle,
}

// === impl FaultTarget ===

impl FaultTarget {
    /// A component for the injector, whose requests are handled on these threads.
    ///
    /// # Errors
    /// When the misbehaving module does not compile.
    pub fn new(
        injector: Arc<FaultInjector>,
        engine: &Engine,
        grants: Arc<Grants>,
        runtime: RuntimeHandle,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            injector,
            runtime,
            faulty_module: Module::new(engine, FAULTY_MODULE)?,
            engine: engine.clone(),
            grants,
        })
    }

    /// What happens to a request before an instance gets it.
    ///
    /// # Errors
    /// The problem, if an spec leaves nothing else to answer.
    pub async fn inject_into_request(&self, call: &Call) -> Result<(), Problem> {
        let component = || self.grants.component.to_string();
        let from = call.caller().unwrap_or(OUTSIDE);
        for (fault, latency) in self.injector.matching(from, &component()) {
            match fault {
                Fault::Drop => {}
                Fault::Latency => self.wait(latency, call).await.map_err(|DeadlineExpired| {
                    Problem::DeadlineExceeded {
                        component: component(),
                    }
                })?,
                Fault::Error => {
                    return Err(Problem::FaultInjected {
                        component: component(),
                    });
                }
                Fault::Trap | Fault::Spin | Fault::Hoard => {
                    let entry = self.runtime.run(self.run_faulty_module(fault, call));
                    return Err(match entry.await {
                        Ok(Err(DeadlineExpired)) => Problem::DeadlineExceeded {
                            component: component(),
                        },
                        Ok(Ok(_)) | Err(_) => Problem::ComponentTrapped {
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
    /// Why it is not handled, if an spec wants that.
    pub async fn inject_into_event(&self, call: &Call) -> Result<(), EventError> {
        let component = || self.grants.component.clone();
        for (fault, latency) in self.injector.matching(EVENTS, &component()) {
            let injected = match fault {
                Fault::Latency => self.wait(latency, call).await.map(|()| None),
                Fault::Drop => {
                    return Err(EventError::Dropped {
                        component: component(),
                    });
                }
                Fault::Error => Ok(Some(wasmtime::Error::msg("an spec"))),
                Fault::Trap | Fault::Spin | Fault::Hoard => {
                    self.run_faulty_module(fault, call).await.map(Some)
                }
            };
            match injected {
                Ok(None) => {}
                Ok(Some(error)) => {
                    return Err(EventError::Failed {
                        component: component(),
                        source: error.into(),
                    });
                }
                Err(DeadlineExpired) => {
                    return Err(EventError::DeadlineExceeded {
                        component: component(),
                    });
                }
            }
        }
        Ok(())
    }

    async fn wait(&self, latency: Duration, call: &Call) -> Result<(), DeadlineExpired> {
        // It stands for something slow behind the component, and not for load.
        let _external_wait = call.begin_external_wait();
        let work = tokio::time::sleep(latency);
        let waited = tokio::time::timeout_at(call.deadline.into(), work).await;
        waited.map_err(|_| DeadlineExpired)
    }

    /// Does it, and returns what Wasmtime says of it.
    fn run_faulty_module(
        &self,
        fault: Fault,
        call: &Call,
    ) -> impl Future<Output = Result<wasmtime::Error, DeadlineExpired>> + Send + use<> {
        let (engine, grants) = (self.engine.clone(), self.grants.clone());
        let (faulty_module, deadline) = (self.faulty_module.clone(), call.deadline);
        let work = async move {
            let mut store = instance::store(&engine, &grants)?;
            let guest = Instance::new_async(&mut store, &faulty_module, &[]).await?;
            let entry = match fault {
                Fault::Spin => "spin",
                Fault::Hoard => "hoard",
                _ => "trap",
            };
            let entry = guest.get_typed_func::<(), ()>(&mut store, entry)?;
            entry.call_async(&mut store, ()).await
        };
        async move {
            match tokio::time::timeout_at(deadline.into(), work).await {
                Ok(Ok(())) => Ok(wasmtime::Error::msg("it did nothing bad")),
                Ok(Err(error)) => Ok(error),
                Err(_) => Err(DeadlineExpired),
            }
        }
    }
}

/// The deadline of the call came first.
struct DeadlineExpired;
