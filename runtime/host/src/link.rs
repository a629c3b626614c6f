//! One link: the way from a caller to whoever answers, and everything that protects both from each other.
//!
//! A link leads from outside to a component (`gateway -> car`), from the clock to one, from one component to another
//! (`reservation -> payment`), or from a component to a host elsewhere (`payment -> https://host:443`). A call meets,
//! in the order that [`resilience`] explains:
//!
//! 1. the *fallback*, which answers when nobody below does ([`fallback`]);
//! 2. the *deadline* of the whole call, the caller's or an earlier one;
//! 3. the *places*: its own if it has any, else those of the component ([`crate::admission`]);
//! 4. the *retry*, for what may be sent twice ([`replay`]);
//! 5. the *breaker*, which hears how each attempt ended ([`attempt`]);
//! 6. the attempt itself, watched by the adaptive limit of those places and ended by its own deadline.
//!
//! What counts as a failure is said once, in [`attempt`]. Which guard stands where, [`config::policy`] has read from the
//! manifest; all links of a platform are in the [`registry`].

mod attempt;
mod fallback;
mod meters;
pub mod registry;
mod replay;
mod transitions;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use resilience::Priority;
use resilience::breaker::{Breaker, BreakerState};
use resilience::bulkhead;
use resilience::deadline::Deadline;
use resilience::retry::{Backoff, RetryBudget};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::admission::{Admission, AdmissionConfig, AdmissionRejection, BulkheadPermit};
use crate::body::{GuardedBody, IdleTimeoutBody};
use crate::call::Call;
use crate::client::HttpClient;
use crate::component::Component;
use crate::problem::Problem;
use config::policy::{LinkPolicy, MethodPriorities};

pub use transitions::{PLATFORM_STREAM, TransitionPublisher, TransitionSender};

use attempt::{AttemptError, PendingOutcome, RemoteError, is_outage, is_worth_another};
use fallback::{LinkFallback, RequestKey};
use meters::{LinkMetrics, TransitionCounter};
use replay::Replay;

/// Longer than any call: what a link allows that limits nothing. The caller's deadline still holds.
const UNLIMITED: Duration = Duration::from_secs(24 * 60 * 60);

/// One link. It outlives the calls over it, and remembers how they went.
pub struct Link {
    name: Arc<str>,
    deadline: Option<Duration>,
    priorities: MethodPriorities,
    /// Its own places, if it does not share those of its component.
    admission: Option<Admission>,
    breaker: Option<Breaker>,
    retry: Option<(Backoff, RetryBudget)>,
    substitute: LinkFallback,
    /// Made when it is shown or used for the first time: what never takes over is no number to look at.
    metrics: OnceLock<LinkMetrics>,
}

/// How long a call may take.
#[derive(Clone, Copy)]
struct Span {
    /// Until its answer begins, whatever its caller has left.
    limit: Duration,
    /// When the last byte of it must be there.
    until: Instant,
}

// === impl Link ===

impl Link {
    fn new(
        name: Arc<str>,
        guard: LinkPolicy,
        substitute: LinkFallback,
        sender: &TransitionSender,
    ) -> Self {
        let admission = guard
            .concurrency
            .and_then(|places| admission(places, &guard));
        let admission = admission.map(|admission| admission.named("link", name.clone()));
        let breaker = guard.breaker.map(|config| {
            let sender = sender.clone();
            let transitions = TransitionCounter::of(&name);
            Breaker::new(name.clone(), config, move |transition| {
                transitions.count(transition.to);
                sender.send(transition);
            })
        });
        Self {
            deadline: guard.deadline,
            priorities: guard.priority,
            admission,
            breaker,
            retry: guard.retry.and_then(|retry| retry.build()),
            substitute,
            metrics: OnceLock::new(),
            name,
        }
    }

    /// Its name, such as `reservation -> payment`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its breaker, if it has one.
    pub fn breaker(&self) -> Option<&Breaker> {
        self.breaker.as_ref()
    }

    /// The admission to its own places, if it has any.
    pub fn admission(&self) -> Option<&Admission> {
        self.admission.as_ref()
    }

    /// Shows its numbers from now on, even if nobody uses it.
    pub fn show(&self) {
        self.metrics();
        if let Some(admission) = &self.admission {
            admission.register_metrics();
        }
    }

    /// What an operator has said of the link that this one replaces holds for this one, too.
    fn inherit(&self, before: &Self) {
        let Some((breaker, before)) = self.breaker.as_ref().zip(before.breaker.as_ref()) else {
            return;
        };
        match before.state() {
            BreakerState::ForcedOpen => breaker.force_open(),
            BreakerState::Disabled => breaker.disable(),
            BreakerState::Closed | BreakerState::Open | BreakerState::HalfOpen => {}
        }
    }

    fn metrics(&self) -> &LinkMetrics {
        let new = || LinkMetrics::new(&self.name, self.breaker.is_some());
        self.metrics.get_or_init(new)
    }

    /// Refuses a call now that would find no permit, and no room to wait for one, before anything is prepared for it: in
    /// an overload these are most calls. Where somebody else may answer instead, nobody is refused here.
    pub fn try_reject(&self, callee: &Component, method: &Method) -> Option<Problem> {
        if !self.substitute.is_nothing() {
            return None;
        }
        let priority = self.priorities.of(method);
        let problem = match &self.admission {
            Some(own) => self.full(own.try_reject(priority)?),
            None => callee.full(callee.admission().try_reject(priority)?),
        };
        self.metrics().count_refusal();
        Some(problem)
    }

    /// Has a request answered by a component; `patience` is how long its caller would wait, if he has said so.
    ///
    /// # Errors
    /// The problem to answer with when neither the component nor a fallback did.
    pub async fn call(
        &self,
        callee: &Component,
        request: Request<WasiBody>,
        call: Call,
        patience: Option<Duration>,
    ) -> Result<Response<WasiBody>, Problem> {
        let begun = Instant::now();
        let limit = self.limit(patience).min(callee.limits().deadline);
        let call = self.begin(call, &request, limit);
        let key = self.substitute.remember(&request);
        let first = self.substitute.first(&key, &call);
        let first = first.as_ref().unwrap_or(&call);
        let until = first.deadline;
        let answer = self
            .inside(callee, request, first, Span { limit, until })
            .await;
        let answer = self.or_fall_back(answer, key, &call).await;
        self.metrics().count(&answer, begun);
        answer
    }

    /// Has a request answered by a host elsewhere.
    ///
    /// # Errors
    /// Why there is no answer. A breaker that is open is no error but an answer, as from any proxy: the caller learns
    /// that nothing was sent and when to come again.
    pub async fn send(
        &self,
        client: &HttpClient,
        request: Request<WasiBody>,
        call: Call,
        options: &RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        let begun = Instant::now();
        let limit = self.limit(options.first_byte_timeout);
        // How long the first byte may take says nothing about the last.
        let until = call.deadline.min(begun + self.limit(None));
        let call = self.begin(call, &request, limit);
        let key = self.substitute.remember(&request);
        let first = self.substitute.first(&key, &call);
        let first = first.as_ref().unwrap_or(&call);
        let span = Span { limit, until };
        let answer = self.outside(client, request, first, span, options).await;
        let answer = self.or_fall_back(answer, key, &call).await;
        self.metrics().count(&answer, begun);
        match answer {
            Ok(response) => Ok(response),
            Err(RemoteError::Refused(problem)) => Ok(problem.response()),
            Err(RemoteError::Failed(error)) => Err(error),
        }
    }

    async fn inside(
        &self,
        callee: &Component,
        request: Request<WasiBody>,
        call: &Call,
        span: Span,
    ) -> Result<Response<WasiBody>, Problem> {
        let deadline = Deadline::at(call.deadline);
        let permit = match self.admit(call.priority, deadline).await? {
            // It has its place already, and would wait for another until it gives that back.
            None if call.has_caller(callee.id()) => None,
            None => Some(callee.admit(call.priority, deadline).await?),
            own => own,
        };
        let admission = self.admission.as_ref().unwrap_or(callee.admission());
        let response = self
            .attempts(request, call, span, |request| {
                callee.attempt(request, call.clone(), admission)
            })
            .await?;
        // The instance is gone at the deadline, whether its answer was taken or not.
        Ok(response.map(|body| match permit {
            Some(permit) => GuardedBody::until(body, permit, call.deadline).boxed_unsync(),
            None => body,
        }))
    }

    async fn outside(
        &self,
        client: &HttpClient,
        request: Request<WasiBody>,
        call: &Call,
        span: Span,
        options: &RequestOptions,
    ) -> Result<Response<WasiBody>, RemoteError> {
        let deadline = Deadline::at(call.deadline);
        let permit = self.admit(call.priority, deadline).await?;
        let response = self
            .attempts(request, call, span, |request| async move {
                let sent = client.send(request, deadline.remaining(), options.connect_timeout);
                let response = sent.await.map_err(RemoteError::Failed);
                response.map(|it| IdleTimeoutBody::pace(it, options.between_bytes_timeout))
            })
            .await?;
        Ok(response.map(|body| GuardedBody::new(body, permit).boxed_unsync()))
    }

    /// How long a call over this link may take, whatever its caller has left.
    fn limit(&self, patience: Option<Duration>) -> Duration {
        let limits = [self.deadline, patience];
        limits.into_iter().flatten().min().unwrap_or(UNLIMITED)
    }

    fn begin(&self, call: Call, request: &Request<WasiBody>, limit: Duration) -> Call {
        call.with_timeout(limit)
            .with_min_priority(self.priorities.of(request.method()))
    }

    /// Waits for a place of its own, if it has any.
    async fn admit(
        &self,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<Option<BulkheadPermit>, Problem> {
        let Some(admission) = &self.admission else {
            return Ok(None);
        };
        let entered = admission.admit(priority, deadline).await.map(Some);
        entered.map_err(|refused| self.full(refused))
    }

    fn full(&self, AdmissionRejection { retry_after }: AdmissionRejection) -> Problem {
        Problem::Overloaded {
            who: format!("link `{}`", self.name),
            retry_after,
        }
    }

    /// Tries until there is an answer, or no further attempt is worth it.
    async fn attempts<E: AttemptError, F>(
        &self,
        request: Request<WasiBody>,
        call: &Call,
        span: Span,
        attempt: impl Fn(Request<WasiBody>) -> F,
    ) -> Result<Response<WasiBody>, E>
    where
        F: Future<Output = Result<Response<WasiBody>, E>>,
    {
        let Some((backoff, budget)) = &self.retry else {
            return self.attempt(call, span, attempt(request)).await;
        };
        let prepared = tokio::time::timeout_at(call.deadline.into(), Replay::of(request)).await;
        let (request, replay) = prepared.map_err(|_| {
            E::from(Problem::DeadlineExceeded {
                component: self.name.to_string(),
            })
        })?;
        budget.deposit();
        let mut answer = self.attempt(call, span, attempt(request)).await;
        let Some(replay) = replay else {
            return answer;
        };
        for further in 1.. {
            let pause = backoff.pause(further, fastrand::f64());
            let left = call.deadline.saturating_duration_since(Instant::now());
            let Some(pause) = pause.filter(|pause| is_worth_another(&answer) && *pause < left)
            else {
                break;
            };
            if !budget.withdraw() {
                break;
            }
            self.metrics().count_retry();
            tokio::time::sleep(pause).await;
            answer = self.attempt(call, span, attempt(replay.request())).await;
        }
        answer
    }

    /// One attempt, if the breaker lets it through, which then hears how it ended.
    async fn attempt<E: AttemptError>(
        &self,
        call: &Call,
        span: Span,
        work: impl Future<Output = Result<Response<WasiBody>, E>>,
    ) -> Result<Response<WasiBody>, E> {
        let Some(breaker) = &self.breaker else {
            return work.await;
        };
        let permit = breaker.acquire().map_err(|refused| {
            self.metrics().count_cut_off();
            E::from(Problem::BreakerOpen {
                link: refused.link,
                retry_after: refused.retry_after,
            })
        })?;
        let pending = PendingOutcome::new(permit, call.deadline, span.limit);
        pending.ended(work.await, span.until)
    }

    async fn or_fall_back<E: AttemptError>(
        &self,
        answer: Result<Response<WasiBody>, E>,
        key: RequestKey,
        call: &Call,
    ) -> Result<Response<WasiBody>, E> {
        if !is_outage(&answer) {
            return answer.map(|response| self.substitute.keep(key, response));
        }
        match self.substitute.answer(key, call).await {
            Some(substitute) => {
                self.metrics().count_fallback();
                Ok(substitute)
            }
            None => answer,
        }
    }
}

/// So many places of one's own. Who finds them taken waits in a line of the same length.
fn admission(places: usize, guard: &LinkPolicy) -> Option<Admission> {
    let places = AdmissionConfig {
        concurrency: places,
        queue: places,
        queue_timeout: guard
            .queue_timeout
            .unwrap_or(bulkhead::BulkheadSettings::default().queue_timeout),
        adaptive: guard.adaptive,
        priorities: guard.priority_names.clone(),
    };
    Admission::new(places).ok()
}
