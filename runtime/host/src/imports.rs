//! Imports that other components satisfy: how a call of an imported function leaves the instance of the caller.
//!
//! The call takes the link from the caller to the callee, like a request over HTTP, and ends before the deadline of the
//! caller. The caller gets the result of the function, or the case `unavailable` of its error.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, counter};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{Linker, Val};

use crate::availability::{Availability, is_outage};
use crate::call::Call;
use crate::capability::InstanceState;
use crate::dispatch_marker::DispatchMarker;
use crate::function::{FunctionName, FunctionOutcome, FunctionRequest, FunctionResponse};
use crate::host_call_timeout::HostCallTimeout;
use crate::link::ComponentLink;
use crate::problem::Problem;

/// An interface that one component imports from another.
pub struct ImportedInterface {
    caller: Arc<str>,
    /// Set when all components are loaded: any component may call any other.
    link: OnceLock<Arc<ComponentLink>>,
}

/// One function of an imported interface.
struct ImportedFunction {
    interface: Arc<ImportedInterface>,
    name: FunctionName,
    /// Registered at the first call.
    counters: OnceLock<FunctionCounters>,
}

/// The calls of one function by outcome.
struct FunctionCounters {
    done: Counter,
    refused: Counter,
    unavailable: Counter,
}

/// When a call makes sense again that an instance made beside too many others.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the host needs of an instance to call a function for it.
type CallOfInstance = Option<(Call, OwnedSemaphorePermit)>;

// === impl ImportedInterface ===

impl ImportedInterface {
    /// An interface without a link: its functions are unavailable until [`Self::connect`] sets one.
    pub fn new(caller: Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            caller,
            link: OnceLock::new(),
        })
    }

    /// Sets the link to the component that exports the interface. Only the first call has an effect.
    pub fn connect(&self, link: Arc<ComponentLink>) {
        let _ = self.link.set(link);
    }

    /// Defines the functions of the interface. `import` is its name in the caller, `functions` are those of the callee.
    ///
    /// # Errors
    /// When the linker has the interface already.
    pub fn define(
        self: &Arc<Self>,
        linker: &mut Linker<InstanceState>,
        import: &str,
        functions: Vec<FunctionName>,
    ) -> wasmtime::Result<()> {
        let mut instance = linker.instance(import)?;
        for name in functions {
            let function = Arc::new(ImportedFunction {
                interface: self.clone(),
                name,
                counters: OnceLock::new(),
            });
            let name = function.name.function.clone();
            instance.func_new_concurrent(&name, move |accessor, _, arguments, results| {
                let function = function.clone();
                Box::pin(async move {
                    let call = accessor.with(|mut access| {
                        access.data_mut().count_host_call();
                        access.data_mut().begin_function_call()
                    });
                    let FunctionResponse(result) = function.call(call, arguments.to_vec()).await;
                    results[0] = result;
                    Ok(())
                })
            })?;
        }
        Ok(())
    }
}

// === impl ImportedFunction ===

impl ImportedFunction {
    async fn call(&self, call: CallOfInstance, arguments: Vec<Val>) -> FunctionResponse {
        let marker = DispatchMarker::default();
        let request = FunctionRequest {
            name: self.name.clone(),
            arguments,
            marker: marker.clone(),
        };
        let response = match (self.interface.link.get(), call) {
            (Some(link), Some((call, _permit))) => {
                let timeout = HostCallTimeout::of(Some(&call));
                let availability = call.availability.clone();
                let call = call.with_caller(&self.interface.caller).nested();
                let called = link.call(request, timeout.bound(call)).await;
                note_availability(&availability, &called);
                called
            }
            (None, _) => Err(Problem::NotFound),
            (_, None) => Err(Problem::Overloaded {
                who: format!("an instance of component `{}`", self.interface.caller),
                retry_after: RETRY_AFTER,
            }),
        };
        let response =
            response.unwrap_or_else(|problem| FunctionResponse::unavailable(&problem, &marker));
        self.count(response.outcome());
        response
    }

    fn count(&self, outcome: FunctionOutcome) {
        let Some(link) = self.interface.link.get() else {
            return;
        };
        let counters = || FunctionCounters::new(link.name(), &self.name);
        self.counters.get_or_init(counters).of(outcome).increment(1);
    }
}

/// Notes that the callee, or what it needs, is unavailable for a while. A callee that traps is not.
fn note_availability(availability: &Availability, called: &Result<FunctionResponse, Problem>) {
    match called {
        Ok(response) => {
            if matches!(response.outcome(), FunctionOutcome::Unavailable { .. }) {
                availability.note_unavailable(None);
            }
        }
        Err(problem) => {
            if is_outage(problem.status()) {
                availability.note_unavailable(problem.retry_after().map(Duration::from_secs));
            }
        }
    }
}

// === impl FunctionCounters ===

impl FunctionCounters {
    fn new(link: &str, function: &FunctionName) -> Self {
        let calls = |outcome: FunctionOutcome| {
            counter!(
                "socar_function_calls_total",
                "link" => link.to_owned(),
                "function" => function.to_string(),
                "outcome" => outcome.label(),
            )
        };
        let has_retry_after = false;
        Self {
            done: calls(FunctionOutcome::Done),
            refused: calls(FunctionOutcome::Refused),
            unavailable: calls(FunctionOutcome::Unavailable { has_retry_after }),
        }
    }

    fn of(&self, outcome: FunctionOutcome) -> &Counter {
        match outcome {
            FunctionOutcome::Done => &self.done,
            FunctionOutcome::Refused => &self.refused,
            FunctionOutcome::Unavailable { .. } => &self.unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_waits_for_the_component_whose_function_it_needs() {
        let noted = |called| {
            let availability = Availability::default();
            note_availability(&availability, &called);
            (availability.is_impaired(), availability.retry_after())
        };
        let retry_after = Duration::from_secs(2);
        let who = || "component `payment`".to_owned();
        let overloaded = Problem::Overloaded {
            who: who(),
            retry_after,
        };
        assert_eq!(noted(Err(overloaded)), (true, Some(retry_after)));
        let component = "payment".to_owned();
        let late = Problem::DeadlineExceeded {
            component: component.clone(),
        };
        assert_eq!(noted(Err(late)), (true, None));
        let trapped = Problem::ComponentTrapped { component };
        assert_eq!(noted(Err(trapped)), (false, None));
        let unavailable =
            FunctionResponse::unavailable(&Problem::NotDurable, &DispatchMarker::default());
        assert_eq!(noted(Ok(unavailable)), (true, None));
        let done = FunctionResponse(Val::Result(Ok(None)));
        assert_eq!(noted(Ok(done)), (false, None));
    }
}
