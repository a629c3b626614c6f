//! Instances that execute the functions which other components call.
//!
//! An instance executes one function at a time, in a task of its own: it finishes, at the latest at the deadline of the
//! call, also when the caller stops waiting.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::warn;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component as Code, ComponentExportIndex, Val};
use wasmtime::{Engine, Trap};

use super::call_pool::{CallPool, PooledInstance};
use crate::call::Call;
use crate::function::{FunctionName, FunctionRequest, FunctionResponse, form};
use crate::problem::Problem;
use crate::runtimes::RuntimeHandle;

/// The functions that a component exports to others.
pub struct ExportedFunctions(BTreeMap<FunctionName, ComponentExportIndex>);

/// Executes the exported functions of one component.
pub struct FunctionPool {
    calls: Arc<CallPool>,
    functions: ExportedFunctions,
    runtime: RuntimeHandle,
    retry_after: Duration,
}

/// One call, while an instance executes it.
struct Execution {
    calls: Arc<CallPool>,
    index: ComponentExportIndex,
    request: FunctionRequest,
    call: Call,
    retry_after: Duration,
    /// Receives the response. Absent once it is sent.
    respond: Option<oneshot::Sender<Result<FunctionResponse, Problem>>>,
}

// === impl ExportedFunctions ===

impl ExportedFunctions {
    /// The exported functions that have the form of a guarded call.
    pub fn of(engine: &Engine, code: &Code) -> Self {
        let mut functions = BTreeMap::new();
        for (interface, item) in code.component_type().exports(engine) {
            let ComponentItem::ComponentInstance(exports) = item.ty else {
                continue;
            };
            let index = code.get_export_index(None, interface);
            for (function, item) in exports.exports(engine) {
                let ComponentItem::ComponentFunc(ty) = item.ty else {
                    continue;
                };
                let index = code.get_export_index(index.as_ref(), function);
                if let Some(index) = index.filter(|_| form::check(&ty).is_ok()) {
                    let name = FunctionName {
                        interface: interface.to_owned(),
                        function: function.to_owned(),
                    };
                    functions.insert(name, index);
                }
            }
        }
        Self(functions)
    }

    /// Whether the component exports no such function.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// === impl FunctionPool ===

impl FunctionPool {
    /// Executes functions with the instances of a pool, on this runtime. `retry_after` is for callers when no instance
    /// can be started.
    pub fn new(
        calls: Arc<CallPool>,
        functions: ExportedFunctions,
        runtime: RuntimeHandle,
        retry_after: Duration,
    ) -> Self {
        Self {
            calls,
            functions,
            runtime,
            retry_after,
        }
    }

    /// Executes a function.
    ///
    /// # Errors
    /// Why it returned no result.
    pub async fn call(
        &self,
        request: FunctionRequest,
        call: &Call,
    ) -> Result<FunctionResponse, Problem> {
        let Some(index) = self.functions.0.get(&request.name) else {
            return Err(Problem::NotFound);
        };
        let (respond, response) = oneshot::channel();
        let execution = Execution {
            calls: self.calls.clone(),
            index: *index,
            request,
            call: call.clone().with_new_abort_flag(),
            retry_after: self.retry_after,
            respond: Some(respond),
        };
        self.runtime.tokio().spawn(execution.run());
        let component = self.calls.component().to_string();
        match tokio::time::timeout_at(call.deadline.into(), response).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Problem::ComponentTrapped { component }),
            Err(_) => Err(Problem::DeadlineExceeded { component }),
        }
    }
}

// === impl Execution ===

impl Execution {
    async fn run(mut self) {
        match self.calls.begin(self.call.clone()).await {
            Ok(pooled) => self.execute(pooled).await,
            Err(error) => {
                let problem = self.no_instance(&error);
                self.respond(Err(problem));
            }
        }
    }

    async fn execute(&mut self, mut pooled: PooledInstance) {
        self.request.marker.mark();
        let (deadline, arguments) = (
            self.call.deadline,
            std::mem::take(&mut self.request.arguments),
        );
        let function = pooled.instance.get_func(&mut pooled.store, self.index);
        let throttle = pooled.store.data().cpu_throttle().clone();
        let work = pooled.store.run_concurrent(async |accessor| {
            let function = function.ok_or_else(|| wasmtime::format_err!("no such function"))?;
            let mut results = [Val::Bool(false)];
            let called = function.call_concurrent(accessor, &arguments, &mut results);
            called.await?;
            let [result] = results;
            self.respond(Ok(FunctionResponse(result)));
            // The guest may go on after its result; the instance is free when it is done.
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            wasmtime::Result::Ok(())
        });
        let ended = tokio::time::timeout_at(deadline.into(), throttle.watch(work)).await;
        match ended {
            Ok(Ok(Ok(()))) => self.calls.release(pooled),
            Ok(Ok(Err(error)) | Err(error)) => self.failed(&error),
            Err(_) => self.timed_out(),
        }
    }

    fn respond(&mut self, result: Result<FunctionResponse, Problem>) {
        if let Some(respond) = self.respond.take() {
            // The caller may have stopped waiting.
            let _ = respond.send(result);
        }
    }

    fn no_instance(&self, error: &wasmtime::Error) -> Problem {
        let component = self.calls.component().to_string();
        if self.call.deadline <= Instant::now() {
            return Problem::DeadlineExceeded { component };
        }
        let (function, trace) = (self.request.name.to_string(), &self.call.trace);
        let reason = format!("{error:#}");
        warn!(
            component,
            function,
            request_id = trace.id(),
            trace_id = trace.trace_id(),
            span_id = trace.span_id(),
            error = reason,
            "no instance"
        );
        match error.is::<Trap>() {
            true => Problem::ComponentTrapped { component },
            false => Problem::Overloaded {
                who: format!("component `{component}`"),
                retry_after: self.retry_after,
            },
        }
    }

    fn failed(&mut self, error: &wasmtime::Error) {
        let component = self.calls.component().to_string();
        let (function, trace) = (self.request.name.to_string(), &self.call.trace);
        warn!(
            component,
            function,
            request_id = trace.id(),
            trace_id = trace.trace_id(),
            span_id = trace.span_id(),
            error = %error.root_cause(),
            "instance failed"
        );
        self.respond(Err(Problem::ComponentTrapped { component }));
    }

    fn timed_out(&mut self) {
        let component = self.calls.component().to_string();
        let (function, trace) = (self.request.name.to_string(), &self.call.trace);
        warn!(
            component,
            function,
            request_id = trace.id(),
            trace_id = trace.trace_id(),
            span_id = trace.span_id(),
            "instance ended at its deadline"
        );
        self.respond(Err(Problem::DeadlineExceeded { component }));
    }
}
