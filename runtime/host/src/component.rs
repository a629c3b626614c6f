//! One component, ready to handle requests and events with its instances.
//!
//! This is the end of the path: which calls reach it, how many at a time and with which guards is decided by the links
//! that lead here ([`crate::link`]). A component knows none of them.

mod requests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use wasmtime_wasi_http::WasiBody;

use crate::call::{Call, MAX_DEPTH};
use crate::capability::missing_grants::{MissingGrant, MissingGrants};
use crate::dispatch_marker::DispatchMarker;
use crate::fault_injection::FaultTarget;
use crate::function::{FunctionRequest, FunctionResponse};
use crate::instance::call_pool::CallPool;
use crate::instance::events::{EventError, EventPool};
use crate::instance::functions::FunctionPool;
use crate::instance::pool::{InstancePool, PoolExhausted, PoolStats};
use crate::problem::Problem;
use crate::span::{self, Span, SpanKind};
use crate::trace::Trace;
use storage::database::Database;

pub use requests::RequestHandler;

/// What the manifest says of a component.
pub struct ComponentConfig {
    /// Its id in the manifest.
    pub id: Arc<str>,
    /// The wall-clock time of one call.
    pub deadline: Duration,
    /// The longest body of a request from a client, in bytes.
    pub max_body: u64,
    /// The embedded database, if the component writes to it: callers wait until its writes are durable.
    pub database: Option<Arc<Database>>,
    /// Whether it has databases of its own.
    pub has_databases: bool,
}

/// How a component handles what it exports a handler for.
pub struct ComponentHandlers {
    /// Handles requests.
    pub requests: Option<RequestHandler>,
    /// Handles events.
    pub events: Option<EventPool>,
    /// Executes functions.
    pub functions: Option<FunctionPool>,
    /// The instances for events and functions.
    pub calls: Arc<CallPool>,
}

/// A component that can be called.
pub struct Component {
    config: ComponentConfig,
    handlers: ComponentHandlers,
    pool: Arc<InstancePool>,
    /// Injects the faults that operators order, on a platform that allows it.
    faults: Option<FaultTarget>,
    /// What it requested and was not granted.
    missing: Arc<MissingGrants>,
}

// === impl Component ===

impl Component {
    /// A component with its handlers and the pool that counts their instances.
    pub fn new(
        config: ComponentConfig,
        handlers: ComponentHandlers,
        pool: Arc<InstancePool>,
        faults: Option<FaultTarget>,
        missing: Arc<MissingGrants>,
    ) -> Self {
        Self {
            config,
            handlers,
            pool,
            faults,
            missing,
        }
    }

    /// Its id in the manifest.
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// What the manifest says of it.
    pub fn config(&self) -> &ComponentConfig {
        &self.config
    }

    /// The first store or database that it requested and the manifest does not grant, if any.
    pub fn ungranted(&self) -> Option<MissingGrant> {
        self.missing.first()
    }

    /// A call of this component that no component makes.
    pub fn incoming_call(&self, trace: Trace) -> Call {
        Call::incoming(trace, self.config.deadline)
    }

    /// Checks that the component can handle a request, and marks the request as dispatched.
    ///
    /// # Errors
    /// When the component exports no handler for requests, or components call each other in a loop.
    pub fn accept(&self, request: &Request<WasiBody>, call: &Call) -> Result<(), Problem> {
        if self.handlers.requests.is_none() {
            return Err(Problem::NotFound);
        }
        self.check_depth(call)?;
        DispatchMarker::mark_dispatched(request);
        self.track_writes(call);
        Ok(())
    }

    /// Checks that the component can be called for a function.
    ///
    /// # Errors
    /// When components call each other in a loop.
    pub fn accept_function(&self, call: &Call) -> Result<(), Problem> {
        self.check_depth(call)?;
        self.track_writes(call);
        Ok(())
    }

    /// Injects the faults that operators ordered for this call.
    ///
    /// # Errors
    /// The problem, if a fault leaves no other response.
    pub async fn inject_fault(&self, call: &Call) -> Result<(), Problem> {
        match &self.faults {
            Some(faults) => faults.inject_into_request(call).await,
            None => Ok(()),
        }
    }

    /// Handles an accepted request with an instance.
    ///
    /// # Errors
    /// The problem to respond with when no instance did.
    pub async fn handle(
        &self,
        mut request: Request<WasiBody>,
        call: &Call,
    ) -> Result<Response<WasiBody>, Problem> {
        let Some(requests) = &self.handlers.requests else {
            return Err(Problem::NotFound);
        };
        let (mut span, call) = self.execution(call);
        if let Cow::Owned(call) = &call {
            call.replace_traceparent(request.headers_mut());
        }
        call.principal.set_header(request.headers_mut());
        let handled = requests.handle(request, &call).await;
        match &handled {
            Ok(response) => span::http::answered(&mut span, response.status(), None),
            Err(problem) => span.fail(problem.slug(), problem),
        }
        handled
    }

    /// Executes a function with an instance.
    ///
    /// # Errors
    /// Why it returned no result.
    pub async fn call_function(
        &self,
        mut request: FunctionRequest,
        call: &Call,
    ) -> Result<FunctionResponse, Problem> {
        let Some(functions) = &self.handlers.functions else {
            return Err(Problem::NotFound);
        };
        let (mut span, call) = self.execution(call);
        if let Cow::Owned(call) = &call {
            request.set_origin(call);
        }
        let called = functions.call(request, &call).await;
        if let Err(problem) = &called {
            span.fail(problem.slug(), problem);
        }
        called
    }

    /// Handles an event with an instance.
    ///
    /// # Errors
    /// See [`EventError`].
    pub async fn receive(&self, payload: Vec<u8>, call: Call) -> Result<(), EventError> {
        let Some(events) = &self.handlers.events else {
            return Err(EventError::Failed {
                component: self.config.id.clone(),
                source: anyhow::anyhow!("it does not export spin:redis/inbound-redis@3.0.0"),
            });
        };
        self.track_writes(&call);
        let call = call.with_timeout(self.config.deadline);
        if let Some(faults) = &self.faults {
            faults.inject_into_event(&call).await?;
        }
        let (mut span, call) = self.execution(&call);
        let handled = self.handle_event(events, payload, &call).await;
        if let Err(error) = &handled {
            span.fail(error.error_type(), error);
        }
        handled
    }

    async fn handle_event(
        &self,
        events: &EventPool,
        payload: Vec<u8>,
        call: &Call,
    ) -> Result<(), EventError> {
        events.handle(call.clone(), payload).await?;
        let kept = call.wait_component_writes(None).await;
        kept.map_err(|error| EventError::Unavailable {
            component: self.config.id.clone(),
            reason: error.to_string(),
        })
    }

    /// Starts the span of an execution. It has the name that Spin gives it.
    fn execution<'c>(&self, call: &'c Call) -> (Span, Cow<'c, Call>) {
        let mut span = Span::start(SpanKind::Internal, &call.trace, || {
            format!("execute_wasm_component {}", self.id()).into()
        });
        span.describe(|| [span::text("socar.component", self.id())]);
        let call = call.within(&span);
        (span, call)
    }

    /// The number of its instances.
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }

    /// Why no instance can be created, if the last attempt failed.
    pub fn start_failure(&self) -> Option<String> {
        self.pool.start_failure()
    }

    /// Starts one instance, to check that it can be done. A pool with its maximum is none that fails.
    ///
    /// # Errors
    /// When the component traps as it starts, or takes too long.
    pub async fn check_start(&self) -> anyhow::Result<()> {
        let started = match &self.handlers.requests {
            Some(requests) => requests.check_start().await,
            None => self.handlers.calls.check_start().await,
        };
        match started {
            Err(error) if error.is::<PoolExhausted>() => Ok(()),
            started => Ok(started?),
        }
    }

    /// Starts instances until the pool has its minimum.
    ///
    /// # Errors
    /// When an instance cannot be started, or not within the deadline of one call.
    pub async fn fill_pool(&self) -> anyhow::Result<()> {
        let timeout = self.config.deadline;
        let filled = async {
            match &self.handlers.requests {
                Some(requests) => requests.fill_pool().await,
                None => self.handlers.calls.fill().await,
            }
        };
        match tokio::time::timeout(timeout, filled).await {
            Ok(filled) => Ok(filled?),
            Err(_) => anyhow::bail!("an instance did not start within {timeout:?}"),
        }
    }

    /// A newer build has replaced this one: calls in flight finish, idle instances are dropped.
    pub fn retire(&self) {
        self.pool.retire();
        if let Some(requests) = &self.handlers.requests {
            requests.clear();
        }
        self.evict_idle();
    }

    /// Drops instances that have been idle for long enough.
    pub fn evict_idle(&self) {
        self.handlers.calls.evict_idle();
    }

    fn check_depth(&self, call: &Call) -> Result<(), Problem> {
        match call.depth > MAX_DEPTH {
            true => Err(Problem::LoopDetected {
                component: self.id().to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn track_writes(&self, call: &Call) {
        if let Some(database) = &self.config.database {
            call.track_writes(database);
        }
        if self.config.has_databases {
            call.expect_component_writes();
        }
    }
}
