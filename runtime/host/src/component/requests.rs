//! Handles requests with instances, until the deadline of the call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tracing::{debug, warn};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState as _, InstantiationError, ProxyHandler,
};

use crate::body::{AbortFlag, CompleteBody};
use crate::call::Call;
use crate::instance::InstanceFactory;
use crate::problem::Problem;
use crate::runtimes::RuntimeHandle;

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
        let handled = self.runtime.scope(self.proxy.handle(call, request));
        match tokio::time::timeout_at(deadline.into(), handled).await {
            Ok(Ok(response)) => Ok(complete(response, abort_flag)),
            Err(_) => Err(self.deadline_exceeded()),
            Ok(Err(error)) => Err(self.explain(&error, deadline, trace.id())),
        }
    }

    /// Starts one instance, to check that it can be done.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn check_start(&self) -> wasmtime::Result<()> {
        self.proxy.state().instantiate().await.map(drop)
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
    fn explain(&self, error: &wasmtime::Error, deadline: Instant, request_id: &str) -> Problem {
        let component = &*self.component;
        if error.is::<ExpirationError>() || deadline <= Instant::now() {
            return self.deadline_exceeded();
        }
        if let Some(error) = error.downcast_ref::<InstantiationError<Call>>()
            && !error.error.is::<wasmtime::Trap>()
        {
            let error = format!("{:#}", error.error);
            warn!(component, request_id, error, "no instance");
            return Problem::Overloaded {
                who: format!("component `{component}`"),
                retry_after: self.retry_after,
            };
        }
        let error = format!("{error:#}");
        debug!(component, request_id, error, "no response");
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

/// A response whose body ends with an error if its guest was aborted. A complete body can lack nothing.
fn complete(response: Response<WasiBody>, abort_flag: AbortFlag) -> Response<WasiBody> {
    match response.body().is_end_stream() {
        true => response,
        false => response.map(|body| CompleteBody::new(body, abort_flag).boxed_unsync()),
    }
}
