//! One component, ready to be called: its admission, and an instance behind it.
//!
//! Calls from outside, calls from other components and sweeps all come over a [`crate::link::Link`], which first asks
//! for a place ([`Component::admit`], or behind its own admission) and then has the request answered, perhaps more than once
//! ([`Component::attempt`]). At most `concurrency` calls run at once; up to `queue` more wait, those that matter more
//! first, but never past their deadline; the next one is refused on the spot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use resilience::deadline::Deadline;
use resilience::{InvalidSetting, Priority, limit};
use tracing::{debug, warn};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState as _, InstantiationError, ProxyHandler,
};

use crate::admission::{Admission, AdmissionConfig, AdmissionRejection, BulkheadPermit};
use crate::body::{AbortFlag, CompleteBody};
use crate::call::{Call, MAX_DEPTH};
use crate::capability::missing::{Missing, Ungranted};
use crate::dispatch_marker::DispatchMarker;
use crate::fault_injection::FaultTarget;
use crate::instance::InstanceFactory;
use crate::instance::events::{EventError, EventPool};
use crate::instance::pool::{InstancePool, PoolStats};
use crate::link::Link;
use crate::problem::Problem;
use crate::runtimes::RuntimeHandle;
use crate::trace::Trace;
use storage::database::Database;

/// How much a component may do at once, and for how long.
#[derive(Clone, Debug)]
pub struct ComponentLimits {
    /// Wall-clock time of one call.
    pub deadline: Duration,
    /// Calls at the same time, over all links without places of their own.
    pub admission: AdmissionConfig,
    /// The longest body of a request from outside, in bytes.
    pub body: u64,
}

/// The ways to a component that do not begin at another one.
pub struct Ingress {
    /// From outside.
    pub gateway: Arc<Link>,
    /// From the clock.
    pub clock: Arc<Link>,
}

/// A component that can be called.
pub struct Component {
    id: Arc<str>,
    limits: ComponentLimits,
    admission: Admission,
    pool: Arc<InstancePool>,
    ingress: Ingress,
    requests: Option<ProxyHandler<InstanceFactory>>,
    /// Where requests are handled, wherever they come from.
    runtime: RuntimeHandle,
    messages: Option<EventPool>,
    /// The types of the events that wake it; every one, if absent.
    event_types: Option<BTreeSet<String>>,
    /// Where the platform makes trouble on request.
    faults: Option<FaultTarget>,
    /// The embedded database, if the component keeps anything there.
    history: Option<Arc<Database>>,
    /// What it asked for and was not granted.
    missing: Arc<Missing>,
}

impl Component {
    /// A component with whatever it exports: `requests` and `messages` are absent if it handles none. Requests are
    /// handled on these runtime, messages on those of whoever brings them.
    ///
    /// # Errors
    /// When a limit is out of bounds.
    pub fn new(
        id: Arc<str>,
        limits: ComponentLimits,
        pool: Arc<InstancePool>,
        requests: Option<InstanceFactory>,
        messages: Option<EventPool>,
        runtime: RuntimeHandle,
        ingress: Ingress,
    ) -> Result<Self, InvalidSetting> {
        Ok(Self {
            admission: Admission::new(limits.admission.clone())?.named("component", id.clone()),
            id,
            limits,
            pool,
            ingress,
            requests: requests.map(ProxyHandler::new),
            runtime,
            messages,
            event_types: None,
            faults: None,
            history: None,
            missing: Arc::default(),
        })
    }

    /// The same component, woken by events of these types only; by every event, if there are none.
    #[must_use]
    pub fn woken_by(mut self, event_types: Option<BTreeSet<String>>) -> Self {
        self.event_types = event_types;
        self
    }

    /// The same component, whose callers wait until this database has kept what they caused.
    #[must_use]
    pub fn keeping(mut self, history: Option<Arc<Database>>) -> Self {
        self.history = history;
        self
    }

    /// The same component, which notes here what it asks for in vain.
    #[must_use]
    pub fn missing(mut self, missing: Arc<Missing>) -> Self {
        self.missing = missing;
        self
    }

    /// What it asked for first that the manifest does not grant, if anything.
    pub fn ungranted(&self) -> Option<Ungranted> {
        self.missing.first()
    }

    /// The same component, for experiments.
    #[must_use]
    pub fn with_faults(mut self, faults: Option<FaultTarget>) -> Self {
        self.faults = faults;
        self
    }

    /// A call of this component that nobody inside has made.
    pub fn incoming_call(&self, trace: Trace) -> Call {
        Call::incoming(trace, self.limits.deadline)
    }

    /// Its id in the manifest.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its limits.
    pub fn limits(&self) -> &ComponentLimits {
        &self.limits
    }

    /// The links that do not begin at a component.
    pub fn ingress(&self) -> &Ingress {
        &self.ingress
    }

    /// Where callers come in that have no admission of their own.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Waits for a place behind its admission, which is to be held until the last byte of the answer has left.
    ///
    /// # Errors
    /// When there is none.
    pub async fn admit(
        &self,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<BulkheadPermit, Problem> {
        self.admission
            .admit(priority, deadline)
            .await
            .map_err(|refused| self.full(refused))
    }

    /// What a caller is told for whom there is no place behind its admission.
    pub fn full(&self, refused: AdmissionRejection) -> Problem {
        self.overloaded(refused.retry_after)
    }

    /// Has a request answered by an instance, and the admission learn how long that took by which its caller came in.
    ///
    /// # Errors
    /// The problem to answer with when no instance did.
    pub async fn attempt(
        &self,
        request: Request<WasiBody>,
        call: Call,
        admission: &Admission,
    ) -> Result<Response<WasiBody>, Problem> {
        let Some(handler) = &self.requests else {
            return Err(Problem::NotFound);
        };
        if call.depth > MAX_DEPTH {
            return Err(Problem::LoopDetected {
                component: self.id.to_string(),
            });
        }
        DispatchMarker::mark_dispatched(&request);
        self.note(&call);
        let call = call.with_new_abort_flag();
        let deadline = call.deadline;
        let (watched, external_wait) = (admission.observe(), call.external_wait());
        if let Some(faults) = &self.faults {
            faults.inject_into_request(&call).await?;
        }
        let handled = self.runtime.scope(handler.handle(call.clone(), request));
        let answer = tokio::time::timeout_at(deadline.into(), handled).await;
        let answer = match answer {
            Ok(Ok(response)) => Ok(whole(response, call.abort_flag.clone())),
            Err(_) => Err(self.late()),
            Ok(Err(error)) => Err(self.explain(&error, deadline, call.trace.id())),
        };
        if let Some(watched) = watched {
            let waited = call.external_wait().saturating_sub(external_wait);
            watched.excluding(waited).record(match &answer {
                Ok(_) => limit::LimitOutcome::Success,
                Err(Problem::DeadlineExceeded { .. }) => limit::LimitOutcome::Dropped,
                Err(_) => limit::LimitOutcome::Ignored,
            });
        }
        answer
    }

    /// Whether an event of this type is any of its business. What names no type is.
    pub fn reacts_to(&self, event_type: Option<&str>) -> bool {
        match (&self.event_types, event_type) {
            (Some(types), Some(event_type)) => types.contains(event_type),
            _ => true,
        }
    }

    /// Has a message handled by an instance.
    ///
    /// # Errors
    /// See [`EventError`].
    pub async fn receive(&self, payload: Vec<u8>, call: Call) -> Result<(), EventError> {
        match &self.messages {
            Some(events) => {
                self.note(&call);
                let call = call.with_timeout(self.limits.deadline);
                if let Some(faults) = &self.faults {
                    faults.inject_into_event(&call).await?;
                }
                events.handle(call, payload).await
            }
            None => Err(EventError::Failed {
                component: self.id.clone(),
                source: anyhow::anyhow!("it does not export spin:redis/inbound-redis@3.0.0"),
            }),
        }
    }

    /// How many instances there are.
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }

    /// Makes an instance, to see whether it can be done.
    ///
    /// # Errors
    /// When it cannot: the component traps as it starts, or takes too long.
    pub async fn check_start(&self) -> anyhow::Result<()> {
        match (&self.requests, &self.messages) {
            (Some(requests), _) => requests.state().instantiate().await.map(drop)?,
            (None, Some(messages)) => messages.check_start().await?,
            (None, None) => {}
        }
        Ok(())
    }

    /// Has as many instances ready as are to be kept.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn fill_pool(&self) -> anyhow::Result<()> {
        let patience = self.limits.deadline;
        let stocked = async {
            match (&self.requests, &self.messages) {
                (Some(requests), _) => requests.state().fill().await,
                (None, Some(messages)) => messages.fill().await,
                (None, None) => Ok(()),
            }
        };
        match tokio::time::timeout(patience, stocked).await {
            Ok(stocked) => Ok(stocked?),
            Err(_) => anyhow::bail!("an instance did not start within {patience:?}"),
        }
    }

    /// A newer build has taken over: what runs is finished, what is idle goes.
    pub fn retire(&self) {
        self.pool.retire();
        if let Some(requests) = &self.requests {
            requests.state().clear();
        }
        self.evict_idle();
    }

    /// Gives back what idle instances hold.
    pub fn evict_idle(&self) {
        if let Some(events) = &self.messages {
            events.evict_idle();
        }
    }

    fn note(&self, call: &Call) {
        if let Some(history) = &self.history {
            call.track_writes(history);
        }
    }

    /// Wasmtime tells a trap from an expiry only sometimes; the clock decides the rest.
    fn explain(&self, error: &wasmtime::Error, deadline: Instant, request_id: &str) -> Problem {
        if error.is::<ExpirationError>() || deadline <= Instant::now() {
            return self.late();
        }
        if let Some(error) = error.downcast_ref::<InstantiationError<Call>>()
            && !error.error.is::<wasmtime::Trap>()
        {
            warn!(
                component = self.id(),
                request_id,
                error = format!("{:#}", error.error),
                "no instance"
            );
            return self.overloaded(self.limits.admission.queue_timeout);
        }
        debug!(
            component = self.id(),
            request_id,
            error = format!("{error:#}"),
            "no answer"
        );
        Problem::ComponentTrapped {
            component: self.id.to_string(),
        }
    }

    fn late(&self) -> Problem {
        Problem::DeadlineExceeded {
            component: self.id.to_string(),
        }
    }

    fn overloaded(&self, retry_after: Duration) -> Problem {
        Problem::Overloaded {
            who: format!("component `{}`", self.id),
            retry_after,
        }
    }
}

/// An answer that does not end well if its guest does not. Where all of it is there already, nothing can be missing.
fn whole(response: Response<WasiBody>, abort_flag: AbortFlag) -> Response<WasiBody> {
    match response.body().is_end_stream() {
        true => response,
        false => response.map(|body| CompleteBody::new(body, abort_flag).boxed_unsync()),
    }
}
