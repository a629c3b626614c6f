//! Retries as a layer.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tower::{Layer, Service, ServiceExt as _};

use super::{Backoff, RetryBudget};
use crate::guarded::{Answering, Guarded, always_ready};

/// What only the caller knows about retrying a call.
pub trait RetryPolicy<Request, Response, Error>: Send + Sync + 'static {
    /// A copy to send again, or nothing if the request must not be sent twice: because it changes something and
    /// carries no key by which that would be noticed, or because it cannot be copied.
    fn copy(&self, request: &Request) -> Option<Request>;

    /// Whether another attempt may have another result. Refusals by a breaker do not belong here.
    fn is_worth_another(&self, result: &Result<Response, Error>) -> bool;

    /// The time that is left for this request, if that is limited: a pause that would use it up is not begun.
    fn time_left(&self, _: &Request) -> Option<Duration> {
        None
    }
}

/// Puts a [`RetryService`] around a service.
#[derive(Debug)]
pub struct RetryLayer<P> {
    policy: Arc<P>,
    backoff: Backoff,
    budget: RetryBudget,
}

/// A service that tries again.
#[derive(Debug)]
pub struct RetryService<S, P> {
    inner: S,
    policy: Arc<P>,
    backoff: Backoff,
    budget: RetryBudget,
}

impl<P> RetryLayer<P> {
    /// Retries what the policy allows, with pauses by the backoff, as long as the budget lasts.
    pub fn new(policy: P, backoff: Backoff, budget: RetryBudget) -> Self {
        Self {
            policy: Arc::new(policy),
            backoff,
            budget,
        }
    }
}

impl<S, P> Layer<S> for RetryLayer<P> {
    type Service = RetryService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService {
            inner,
            policy: self.policy.clone(),
            backoff: self.backoff,
            budget: self.budget.clone(),
        }
    }
}

// === impl RetryService ===

impl<S, P> RetryService<S, P> {
    async fn call_until_done<Request>(self, request: Request) -> Result<S::Response, S::Error>
    where
        S: Guarded<Request>,
        P: RetryPolicy<Request, S::Response, S::Error>,
    {
        self.budget.deposit();
        let mut copy = self.policy.copy(&request);
        let mut result = self.inner.clone().oneshot(request).await;
        for attempt in 1.. {
            let Some((request, pause)) = self.another(attempt, copy, &result) else {
                break;
            };
            tokio::time::sleep(pause).await;
            copy = self.policy.copy(&request);
            result = self.inner.clone().oneshot(request).await;
        }
        result
    }

    /// What to send again, and after which pause. The budget is asked last, so that it pays only for what is done.
    fn another<Request>(
        &self,
        attempt: u32,
        copy: Option<Request>,
        result: &Result<S::Response, S::Error>,
    ) -> Option<(Request, Duration)>
    where
        S: Guarded<Request>,
        P: RetryPolicy<Request, S::Response, S::Error>,
    {
        let request = copy.filter(|_| self.policy.is_worth_another(result))?;
        let pause = self.backoff.pause(attempt, fastrand::f64())?;
        let is_in_time = self
            .policy
            .time_left(&request)
            .is_none_or(|left| pause < left);
        (is_in_time && self.budget.withdraw()).then_some((request, pause))
    }
}

impl<S: Clone, P> Clone for RetryService<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            policy: self.policy.clone(),
            backoff: self.backoff,
            budget: self.budget.clone(),
        }
    }
}

impl<P> Clone for RetryLayer<P> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            backoff: self.backoff,
            budget: self.budget.clone(),
        }
    }
}

impl<S, P, Request> Service<Request> for RetryService<S, P>
where
    S: Guarded<Request>,
    P: RetryPolicy<Request, S::Response, S::Error>,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answering<Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        always_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(self.clone().call_until_done(request))
    }
}
