//! The end of a link: a component of this process, or a remote host.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use super::attempt::RemoteError;
use super::components::RegisteredComponent;
use super::request::{Attempt, LinkTarget};
use crate::admission::{Admission, BulkheadPermit};
use crate::body::{GuardedBody, IdleTimeoutBody};
use crate::call::Call;
use crate::client::HttpClient;
use crate::component::Component;
use crate::function::{FunctionRequest, FunctionResponse};
use crate::problem::Problem;

/// A component of this process.
pub struct ComponentTarget {
    component: Weak<Component>,
    deadline: Duration,
    /// The admission whose adaptive limit observes the calls.
    admission: Arc<Admission>,
}

/// A remote origin.
pub struct RemoteTarget(HttpClient);

// === impl ComponentTarget ===

impl ComponentTarget {
    pub(super) fn new(registered: &RegisteredComponent, admission: Arc<Admission>) -> Self {
        Self {
            component: registered.component.clone(),
            deadline: registered.deadline,
            admission,
        }
    }

    pub(super) async fn handle(
        &self,
        request: Request<WasiBody>,
        call: &Call,
    ) -> Result<Response<WasiBody>, Problem> {
        // Weak only while its generation is dropped.
        let component = self.component.upgrade().ok_or(Problem::NotFound)?;
        component.accept(&request, call)?;
        component.inject_fault(call).await?;
        let observation = self.admission.observe(call);
        let result = component.handle(request, call).await;
        observation.record(call, &result);
        result
    }
}

impl LinkTarget for ComponentTarget {
    type Error = Problem;

    fn deadline(&self) -> Option<Duration> {
        Some(self.deadline)
    }

    /// The instance ends at the deadline of the head, whether its response was taken or not.
    fn body_deadline(head: Instant, _: Instant) -> Instant {
        head
    }

    /// The instance is gone at the deadline; the permit is given back then at the latest.
    fn hold(body: WasiBody, permit: BulkheadPermit, deadline: Instant) -> WasiBody {
        GuardedBody::until(body, permit, deadline).boxed_unsync()
    }
}

impl Attempt<Request<WasiBody>> for ComponentTarget {
    async fn attempt(
        &self,
        request: Request<WasiBody>,
        call: &Call,
        _: &RequestOptions,
    ) -> Result<Response<WasiBody>, Problem> {
        self.handle(request, call).await
    }
}

impl Attempt<FunctionRequest> for ComponentTarget {
    async fn attempt(
        &self,
        request: FunctionRequest,
        call: &Call,
        _: &RequestOptions,
    ) -> Result<FunctionResponse, Problem> {
        // Weak only while its generation is dropped.
        let component = self.component.upgrade().ok_or(Problem::NotFound)?;
        component.accept_function(call)?;
        if let Err(problem) = component.inject_fault(call).await {
            // The fault stands for a failure of the instance.
            request.marker.mark();
            return Err(problem);
        }
        let observation = self.admission.observe(call);
        let result = component.call_function(request, call).await;
        observation.record(call, &result);
        result
    }
}

// === impl RemoteTarget ===

impl RemoteTarget {
    pub(super) fn new(client: HttpClient) -> Self {
        Self(client)
    }
}

impl LinkTarget for RemoteTarget {
    type Error = RemoteError;

    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// The timeout of the head says nothing about the end of the body.
    fn body_deadline(_: Instant, overall: Instant) -> Instant {
        overall
    }

    fn hold(body: WasiBody, permit: BulkheadPermit, _: Instant) -> WasiBody {
        GuardedBody::new(body, permit).boxed_unsync()
    }
}

impl Attempt<Request<WasiBody>> for RemoteTarget {
    async fn attempt(
        &self,
        request: Request<WasiBody>,
        call: &Call,
        options: &RequestOptions,
    ) -> Result<Response<WasiBody>, RemoteError> {
        let left = call.deadline.saturating_duration_since(Instant::now());
        let sent = self.0.send(request, left, options.connect_timeout);
        let response = sent.await.map_err(RemoteError::Failed)?;
        Ok(IdleTimeoutBody::pace(
            response,
            options.between_bytes_timeout,
        ))
    }
}
