//! Links: the guarded path from a caller to the component or remote host that handles its call.
//!
//! A link leads from a client to a component (`gateway -> car`), from the clock to one, from one component to another
//! (`reservation -> payment`), or from a component to a remote origin (`payment -> https://host:443`).
//!
//! [`Link::call_with`] shows the path of a call. From the outside to the inside:
//!
//! 1. **Deadline**: the earliest of the caller's, the link's and the target's. Everything below shares it, waiting in a
//!    queue included.
//! 2. **Fallback**: it answers for every guard below it, so that it stands around all of them ([`fallback`]).
//! 3. **Admission**: an overload is rejected before any work is done for the call. It stands before the retry, so that a
//!    call keeps its permit between attempts and retries never outnumber the permits ([`crate::admission`]).
//! 4. **Retry** of requests that may be sent twice. Each attempt passes everything below, so that the breaker counts it
//!    and can end the attempts ([`replay`]).
//! 5. **Breaker**: no attempt reaches a target that is known to fail. It stands outside the attempt, because a missed
//!    deadline is the failure that it must see ([`attempt`]).
//! 6. **Attempt**: fault injection, then the instance or the remote host, watched by the adaptive limit ([`target`]).
//!
//! [`config::policy`] reads from the manifest which guards a link has; [`registry`] holds all links of a platform.

mod attempt;
mod components;
mod fallback;
mod guards;
mod meters;
pub mod registry;
mod replay;
mod target;
mod transitions;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use resilience::deadline::Deadline;
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use crate::admission::{Admission, AdmissionRejection, BulkheadPermit};
use crate::call::Call;
use crate::problem::Problem;

pub use attempt::RemoteError;
pub use components::{ComponentRegistry, RegisteredComponent};
pub use guards::LinkGuards;
pub use target::{ComponentTarget, LinkTarget, RemoteTarget};
pub use transitions::{PLATFORM_STREAM, TransitionPublisher, TransitionSender};

use attempt::{is_outage, is_worth_another};
use fallback::LinkFallback;
use replay::Replay;

/// A limit longer than any call, for a link without a deadline. The caller's deadline still holds.
const UNLIMITED: Duration = Duration::from_secs(24 * 60 * 60);

/// A link to a component.
pub type ComponentLink = Link<ComponentTarget>;

/// A link to a remote origin.
pub type RemoteLink = Link<RemoteTarget>;

/// A link of one generation of the application: the guards, which outlive a reload, and the target, which does not.
pub struct Link<T> {
    guards: Arc<LinkGuards>,
    admission: LinkAdmission,
    target: T,
}

/// The admission that the calls of a link pass. It is decided when the link is built.
pub enum LinkAdmission {
    /// The link has its own permits.
    Own(Arc<Admission>),
    /// The link shares the permits of its component with other links.
    Component {
        /// The component.
        id: Arc<str>,
        /// Its admission.
        admission: Arc<Admission>,
    },
    /// Every call is admitted.
    Unlimited,
}

/// A request that a link prepares only when the call is admitted: a rejected call costs no preparation.
pub trait PrepareRequest: Send {
    /// The method of the request.
    fn method(&self) -> &Method;

    /// The request to send on behalf of the call.
    fn prepare(self, call: &Call) -> Request<WasiBody>;
}

impl PrepareRequest for Request<WasiBody> {
    fn method(&self) -> &Method {
        self.method()
    }

    fn prepare(self, _: &Call) -> Request<WasiBody> {
        self
    }
}

/// The times that bound one call.
#[derive(Clone, Copy)]
struct TimeLimits {
    /// The longest time until the head of the response, whatever the caller has left.
    head: Duration,
    /// The end of the call, without the timeout for the head.
    overall: Instant,
}

// === impl Link ===

impl<T: LinkTarget> Link<T> {
    fn new(guards: Arc<LinkGuards>, admission: LinkAdmission, target: T) -> Self {
        Self {
            guards,
            admission,
            target,
        }
    }

    /// Calls the target, without timeouts of the caller other than the deadline of the call.
    ///
    /// # Errors
    /// The error, when neither the target nor a fallback responded.
    pub async fn call(
        &self,
        request: impl PrepareRequest,
        call: Call,
    ) -> Result<Response<WasiBody>, T::Error> {
        self.call_with(request, call, &RequestOptions::default())
            .await
    }

    /// Calls the target, within the timeouts that the caller has set.
    ///
    /// # Errors
    /// The error, when neither the target nor a fallback responded.
    pub async fn call_with(
        &self,
        request: impl PrepareRequest,
        call: Call,
        options: &RequestOptions,
    ) -> Result<Response<WasiBody>, T::Error> {
        let started = Instant::now();
        // 1. Deadline
        let limits = self.time_limits(&call, options, started);
        let call = call
            .with_timeout(limits.head)
            .with_min_priority(self.guards.priorities.of(request.method()));
        // 2. Fallback
        let result = match &self.guards.fallback {
            LinkFallback::Problem => self.guarded(request, &call, limits, options).await,
            fallback => {
                let request = request.prepare(&call);
                let key = fallback.key(&request);
                let first_call = fallback.first_call(&key, &call);
                let first_call = first_call.as_ref().unwrap_or(&call);
                let result = self.guarded(request, first_call, limits, options).await;
                if is_outage(&result) {
                    match fallback.respond(key, &call).await {
                        Some(response) => {
                            self.guards.metrics().count_fallback();
                            Ok(response)
                        }
                        None => result,
                    }
                } else {
                    result.map(|response| fallback.store(key, response))
                }
            }
        };
        self.guards.metrics().count(&result, started);
        result
    }

    /// Everything that a fallback stands around.
    async fn guarded(
        &self,
        request: impl PrepareRequest,
        call: &Call,
        limits: TimeLimits,
        options: &RequestOptions,
    ) -> Result<Response<WasiBody>, T::Error> {
        // 3. Admission
        let permit = self.admit(call).await?;
        let request = request.prepare(call);
        let body_deadline = T::body_deadline(call.deadline, limits.overall);
        let attempt = |request| async move {
            // 5. Breaker
            let pending = self.guards.start_attempt(call.deadline, limits.head)?;
            // 6. Attempt
            let result = self.target.attempt(request, call, options).await;
            match pending {
                Some(pending) => pending.ended(result, body_deadline),
                None => result,
            }
        };
        // 4. Retry
        let response = self.retry(request, call, attempt).await?;
        // The permit is held until the last byte of the body.
        Ok(response.map(|body| match permit {
            Some(permit) => T::hold(body, permit, call.deadline),
            None => body,
        }))
    }

    fn time_limits(&self, call: &Call, options: &RequestOptions, started: Instant) -> TimeLimits {
        let own = self.guards.deadline;
        let all = [own, options.first_byte_timeout, self.target.deadline()];
        let shortest = |limits: &[Option<Duration>]| {
            let limits = limits.iter().copied().flatten();
            limits.min().unwrap_or(UNLIMITED)
        };
        TimeLimits {
            head: shortest(&all),
            overall: call.deadline.min(started + shortest(&[own])),
        }
    }

    async fn admit(&self, call: &Call) -> Result<Option<BulkheadPermit>, Problem> {
        let (admission, who) = match &self.admission {
            LinkAdmission::Unlimited => return Ok(None),
            // The component holds a permit already, and gives it back only after this call.
            LinkAdmission::Component { id, .. } if call.has_caller(id) => return Ok(None),
            LinkAdmission::Component { id, admission } => (admission, ("component", id)),
            LinkAdmission::Own(admission) => (admission, ("link", self.guards.name())),
        };
        let deadline = Deadline::at(call.deadline);
        let admitted = admission.admit(call.priority, deadline).await;
        let rejected = |AdmissionRejection { retry_after }| Problem::Overloaded {
            who: format!("{} `{}`", who.0, who.1),
            retry_after,
        };
        admitted.map(Some).map_err(rejected)
    }

    /// Repeats the attempt until it succeeds, or another attempt is not allowed or not worthwhile.
    async fn retry<F>(
        &self,
        request: Request<WasiBody>,
        call: &Call,
        attempt: impl Fn(Request<WasiBody>) -> F,
    ) -> Result<Response<WasiBody>, T::Error>
    where
        F: Future<Output = Result<Response<WasiBody>, T::Error>>,
    {
        let Some(retries) = &self.guards.retry else {
            return attempt(request).await;
        };
        let prepared = tokio::time::timeout_at(call.deadline.into(), Replay::of(request)).await;
        let (request, replay) = prepared.map_err(|_| Problem::DeadlineExceeded {
            component: self.guards.name().to_string(),
        })?;
        retries.budget.deposit();
        let mut result = attempt(request).await;
        let Some(replay) = replay else {
            return result;
        };
        for attempts in 1..=retries.attempts {
            let delay = retries.backoff.delay(attempts);
            let left = call.deadline.saturating_duration_since(Instant::now());
            // The budget comes last: it pays only for a retry that is made.
            if !is_worth_another(&result) || delay >= left || !retries.budget.withdraw() {
                break;
            }
            self.guards.metrics().count_retry();
            tokio::time::sleep(delay).await;
            result = attempt(replay.request()).await;
        }
        result
    }
}
