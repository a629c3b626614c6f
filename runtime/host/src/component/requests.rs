//! Handles requests with instances, until the deadline of the call.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tracing::{debug, warn};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler};

use crate::body::{AbortFlag, CompleteBody};
use crate::call::Call;
use crate::instance::InstanceFactory;
use crate::instance::demand::NoDemand;
use crate::instance::pool::PoolExhausted;
use crate::problem::Problem;
use crate::runtimes::RuntimeHandle;
use crate::trace::Trace;

/// The longest wait of a request for an instance while the pool has its maximum.
const MAX_INSTANCE_WAIT: Duration = Duration::from_secs(1);

/// The longest wait of a request for an instance that becomes idle soon, and the time between two attempts while the pool
/// has its maximum.
const INSTANCE_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Handles the requests of one component.
pub struct RequestHandler {
    component: Arc<str>,
    proxy: ProxyHandler<InstanceFactory>,
    runtime: RuntimeHandle,
    retry_after: Duration,
}

// === impl RequestHandler ===

impl RequestHandler {
    /// Requests are handled on this runtime. `retry_after` is for callers when no instance can be started.
    pub fn new(
        component: Arc<str>,
        factory: InstanceFactory,
        runtime: RuntimeHandle,
        retry_after: Duration,
    ) -> Self {
        Self {
            component,
            proxy: ProxyHandler::new(factory),
            runtime,
            retry_after,
        }
    }

    /// Handles one request.
    ///
    /// # Errors
    /// The problem to respond with when no instance did.
    pub async fn handle(
        &self,
        request: Request<WasiBody>,
        call: &Call,
    ) -> Result<Response<WasiBody>, Problem> {
        let call = call.clone().with_new_abort_flag();
        let (deadline, abort_flag) = (call.deadline, call.abort_flag.clone());
        let trace = call.trace.clone();
        let handled = self.runtime.scope(self.handle_with_instance(call, request));
        match tokio::time::timeout_at(deadline.into(), handled).await {
            Ok(Ok(response)) => Ok(complete(response, abort_flag)),
            Err(_) => Err(self.deadline_exceeded()),
            Ok(Err(error)) => Err(self.explain(&error, deadline, &trace)),
        }
    }

    /// Handles a request with an idle or a new instance; waits a moment for one that becomes idle, and longer if the pool has
    /// its maximum.
    async fn handle_with_instance(
        &self,
        mut call: Call,
        mut request: Request<WasiBody>,
    ) -> wasmtime::Result<Response<WasiBody>> {
        let begun = Instant::now();
        let mut demanding = self.proxy.state().request();
        loop {
            let error = match self.proxy.handle(call, request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match shortage(&error) {
                Some(Shortage::Momentary) if begun.elapsed() >= INSTANCE_POLL_INTERVAL => {
                    demanding.need_another();
                }
                Some(Shortage::Momentary) => {}
                Some(Shortage::Maximum) if begun.elapsed() < MAX_INSTANCE_WAIT => {}
                Some(Shortage::Maximum) | None => return Err(error),
            }
            let refused: InstantiationError<Call> = error.downcast()?;
            call = refused.request_data;
            request = refused
                .request
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner);
            let released = self.proxy.state().wait_for_release(INSTANCE_POLL_INTERVAL);
            released.await;
        }
    }

    /// Starts one instance, to check that it can be done.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn check_start(&self) -> wasmtime::Result<()> {
        self.proxy.state().check_start().await
    }

    /// Starts instances until the pool has its minimum.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn fill_pool(&self) -> wasmtime::Result<()> {
        self.proxy.state().fill().await
    }

    /// Drops the instances that were started in advance.
    pub fn clear(&self) {
        self.proxy.state().clear();
    }

    /// Wasmtime tells a trap from an expiry only sometimes; the clock decides the rest.
    fn explain(&self, error: &wasmtime::Error, deadline: Instant, trace: &Trace) -> Problem {
        let component = &*self.component;
        if error.is::<ExpirationError>() || deadline <= Instant::now() {
            return self.deadline_exceeded();
        }
        if let Some(error) = error.downcast_ref::<InstantiationError<Call>>()
            && !error.error.is::<wasmtime::Trap>()
        {
            let error = format!("{:#}", error.error);
            let (request_id, trace_id, span_id) = (trace.id(), trace.trace_id(), trace.span_id());
            warn!(
                component,
                request_id, trace_id, span_id, error, "no instance"
            );
            return Problem::Overloaded {
                who: format!("component `{component}`"),
                retry_after: self.retry_after,
            };
        }
        let error = format!("{error:#}");
        debug!(component, request_id = trace.id(), error, "no response");
        Problem::ComponentTrapped {
            component: component.to_owned(),
        }
    }

    fn deadline_exceeded(&self) -> Problem {
        Problem::DeadlineExceeded {
            component: self.component.to_string(),
        }
    }
}

/// Why there was no instance for a request at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shortage {
    /// One of the present instances becomes idle soon.
    Momentary,
    /// The pool has its maximum.
    Maximum,
}

/// The shortage behind an error, if it is one that a later attempt may not meet.
fn shortage(error: &wasmtime::Error) -> Option<Shortage> {
    let refused = error.downcast_ref::<InstantiationError<Call>>()?;
    if refused.error.is::<NoDemand>() {
        return Some(Shortage::Momentary);
    }
    refused
        .error
        .is::<PoolExhausted>()
        .then_some(Shortage::Maximum)
}

/// A response whose body ends with an error if its guest was aborted. A complete body can lack nothing.
fn complete(response: Response<WasiBody>, abort_flag: AbortFlag) -> Response<WasiBody> {
    match response.body().is_end_stream() {
        true => response,
        false => response.map(|body| CompleteBody::new(body, abort_flag).boxed_unsync()),
    }
}
