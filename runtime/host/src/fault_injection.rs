//! Fault injection: what an operator may do to the calls of a link, to test that the platform bears it.
//!
//! A platform that was not started with `--chaos` has no injector, and its calls pay nothing. With one, a call that is
//! about to reach an instance first looks for an active fault on its link. Delays and errors are made here. Traps,
//! endless loops and memory hoards are real: instead of an instance of its component, the call gets one of a tiny
//! faulty module, in a store with the same memory limit, the same epochs and the same deadline. So the mechanism that
//! ends a faulty guest is the one that ends this one. A request to a remote host looks for a fault in the same way
//! ([`remote`]). Every fault ends by itself ([`injector`]).

mod faulty_module;
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

pub use injector::{ActiveFault, Fault, FaultInjector, FaultSpec, InjectableCalls};
pub use remote::RemoteFaults;

/// The callers that are no component.
pub const OUTSIDE: &str = "outside";
pub const EVENTS: &str = "events";

/// The target that stands for every remote host.
const ANY_REMOTE: &str = "outbound";

/// Injects faults into the calls of one component.
pub struct FaultTarget {
    injector: Arc<FaultInjector>,
    engine: Engine,
    grants: Arc<Grants>,
    faulty_module: Module,
    /// Runs the faulty module on the runtime for requests, so that it takes a thread as a faulty instance would.
    runtime: RuntimeHandle,
}

// === impl FaultTarget ===

impl FaultTarget {
    /// A target whose requests are handled on this runtime.
    ///
    /// # Errors
    /// When the faulty module does not compile.
    pub fn new(
        injector: Arc<FaultInjector>,
        engine: &Engine,
        grants: Arc<Grants>,
        runtime: RuntimeHandle,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            injector,
            runtime,
            faulty_module: Module::new(engine, faulty_module::encode())?,
            engine: engine.clone(),
            grants,
        })
    }

    /// Injects the active faults before an instance gets the request.
    ///
    /// # Errors
    /// The problem, if a fault leaves no other response.
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

    /// Injects the active faults before an instance gets the event.
    ///
    /// # Errors
    /// Why the event is not handled, if a fault prevents it.
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
                Fault::Error => Ok(Some(wasmtime::Error::msg("a fault injection"))),
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
        // The delay stands for a slow dependency, and does not count as load.
        let _external_wait = call.begin_external_wait();
        let work = tokio::time::sleep(latency);
        let waited = tokio::time::timeout_at(call.deadline.into(), work).await;
        waited.map_err(|_| DeadlineExpired)
    }

    /// Runs the fault, and returns the error of Wasmtime.
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
                Ok(Ok(())) => Ok(wasmtime::Error::msg("the faulty module did not fail")),
                Ok(Err(error)) => Ok(error),
                Err(_) => Err(DeadlineExpired),
            }
        }
    }
}

/// The deadline of the call expired first.
struct DeadlineExpired;
