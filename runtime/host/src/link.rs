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
//!    Each attempt of a call that a component makes has a span ([`attempt_span`]).
//!
//! A request over HTTP ([`http`]) and a call of a function of another component ([`function`]) pass the same guards
//! ([`request`]). Neither a fallback nor a retry applies to a function.
//!
//! [`config::policy`] reads from the manifest which guards a link has; [`registry`] holds all links of a platform.

mod attempt;
mod attempt_span;
mod components;
mod fallback;
mod function;
mod guards;
mod http;
mod meters;
mod outcome;
pub mod registry;
mod request;
mod target;
mod transitions;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use resilience::deadline::Deadline;
use wasmtime_wasi_http::RequestOptions;

use crate::admission::{Admission, AdmissionRejection, BulkheadPermit};
use crate::call::Call;
use crate::problem::Problem;

pub use attempt::RemoteError;
pub use components::{ComponentRegistry, RegisteredComponent};
pub use guards::LinkGuards;
pub use request::{LinkTarget, PrepareRequest};
pub use target::{ComponentTarget, RemoteTarget};
pub use transitions::{TransitionPublisher, TransitionSender};

use attempt::{ended, is_outage, is_worth_another};
use attempt_span::AttemptSpan;
use fallback::{FallbackRequest, LinkFallback};
use request::{Attempt, LinkRequest, LinkResponse};

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

/// The times that bound one call.
#[derive(Clone, Copy)]
struct TimeLimits {
    /// The longest time until the head of the response, whatever the caller has left.
    head: Duration,
    /// The end of the call, without the timeout for the head.
    overall: Instant,
}

/// The response to a prepared request.
type ResponseTo<P> = <<P as PrepareRequest>::Request as LinkRequest>::Response;

// === impl Link ===

impl<T: LinkTarget> Link<T> {
    fn new(guards: Arc<LinkGuards>, admission: LinkAdmission, target: T) -> Self {
        Self {
            guards,
            admission,
            target,
        }
    }

    /// The name of the link, such as `reservation -> payment`.
    pub fn name(&self) -> &Arc<str> {
        self.guards.name()
    }

    /// Calls the target, without timeouts of the caller other than the deadline of the call.
    ///
    /// # Errors
    /// The error, when neither the target nor a fallback responded.
    pub async fn call<P>(&self, request: P, call: Call) -> Result<ResponseTo<P>, T::Error>
    where
        P: PrepareRequest<Request: FallbackRequest>,
        T: Attempt<P::Request>,
    {
        self.call_with(request, call, &RequestOptions::default())
            .await
    }

    /// Calls the target, within the timeouts that the caller has set.
    ///
    /// # Errors
    /// The error, when neither the target nor a fallback responded.
    pub async fn call_with<P>(
        &self,
        request: P,
        call: Call,
        options: &RequestOptions,
    ) -> Result<ResponseTo<P>, T::Error>
    where
        P: PrepareRequest<Request: FallbackRequest>,
        T: Attempt<P::Request>,
    {
        let started = Instant::now();
        // 1. Deadline
        let limits = self.time_limits(&call, options, started);
        let call = call
            .with_timeout(limits.head)
            .with_min_priority(request.priority(&self.guards.priorities));
        // 2. Fallback
        let result = match &self.guards.fallback {
            LinkFallback::Problem => {
                let prepare = |call: &Call| request.prepare(call);
                self.guarded(prepare, &call, limits, options).await
            }
            fallback => {
                let request = request.prepare(&call);
                let key = request.fallback_key(fallback);
                let first_call = fallback.first_call(&key, &call);
                let first_call = first_call.as_ref().unwrap_or(&call);
                let prepared = |_: &Call| request;
                let result = self.guarded(prepared, first_call, limits, options).await;
                if is_outage(&result) {
                    match P::Request::respond(fallback, key, &call).await {
                        Some(response) => {
                            self.guards.metrics().count_fallback();
                            Ok(response)
                        }
                        None => result,
                    }
                } else {
                    result.map(|response| P::Request::store(fallback, key, response))
                }
            }
        };
        self.guards.metrics().count(&result, started);
        result
    }

    /// Everything that a fallback stands around.
    async fn guarded<R: LinkRequest>(
        &self,
        prepare: impl FnOnce(&Call) -> R + Send,
        call: &Call,
        limits: TimeLimits,
        options: &RequestOptions,
    ) -> Result<R::Response, T::Error>
    where
        T: Attempt<R>,
    {
        // 3. Admission
        let permit = self.admit(call).await?;
        let request = prepare(call);
        let body_deadline = T::body_deadline(call.deadline, limits.overall);
        let attempt = |mut request, resends| async move {
            let (span, call) = AttemptSpan::start(&mut request, call, self.name(), resends);
            // 5. Breaker
            let result = match self.guards.start_attempt(call.deadline, limits.head) {
                Err(problem) => Err(problem.into()),
                Ok(pending) => {
                    // 6. Attempt
                    let result = self.target.attempt(request, &call, options).await;
                    match pending {
                        Some(pending) => ended(pending, result, body_deadline),
                        None => result,
                    }
                }
            };
            span.end(&result);
            result
        };
        // 4. Retry
        let response = self.retry(request, call, attempt).await?;
        // The permit is held until the response is complete.
        Ok(match permit {
            Some(permit) => response.holding::<T>(permit, call.deadline),
            None => response,
        })
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
    async fn retry<R: LinkRequest, F>(
        &self,
        request: R,
        call: &Call,
        attempt: impl Fn(R, u32) -> F,
    ) -> Result<R::Response, T::Error>
    where
        F: Future<Output = Result<R::Response, T::Error>>,
    {
        let Some(retries) = &self.guards.retry else {
            return attempt(request, 0).await;
        };
        let prepared = tokio::time::timeout_at(call.deadline.into(), request.copied()).await;
        let (request, copy) = prepared.map_err(|_| Problem::DeadlineExceeded {
            component: self.guards.name().to_string(),
        })?;
        retries.budget.deposit();
        let mut result = attempt(request, 0).await;
        let Some(copy) = copy else {
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
            result = attempt(R::repeat(&copy), attempts).await;
        }
        result
    }
}

#[cfg(test)]
mod tests;
