//! The breaker as a layer: asks for each call, and records what its caller makes of the outcome.

use std::task::{Context, Poll};

use tower::{Layer, Service, ServiceExt as _};

use super::{Breaker, BreakerOutcome, BreakerRejection};
use crate::guarded::{Answering, Guarded, always_ready};

/// Puts a [`Breaker`] before a service.
#[derive(Clone, Debug)]
pub struct BreakerLayer<C> {
    breaker: Breaker,
    classify: C,
}

/// A service that its breaker may cut off.
#[derive(Clone, Debug)]
pub struct BreakerService<S, C> {
    inner: S,
    breaker: Breaker,
    classify: C,
}

impl<C> BreakerLayer<C> {
    /// Guards with this breaker; `classify` says what a result says about the service.
    pub fn new<T, E>(breaker: Breaker, classify: C) -> Self
    where
        C: Fn(&Result<T, E>) -> BreakerOutcome,
    {
        Self { breaker, classify }
    }
}

impl<S, C: Clone> Layer<S> for BreakerLayer<C> {
    type Service = BreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService {
            inner,
            breaker: self.breaker.clone(),
            classify: self.classify.clone(),
        }
    }
}

impl<S, C, Request> Service<Request> for BreakerService<S, C>
where
    S: Guarded<Request, Error: From<BreakerRejection>>,
    C: Fn(&Result<S::Response, S::Error>) -> BreakerOutcome + Clone + Send + 'static,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answering<Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        always_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self {
            inner,
            breaker,
            classify,
        } = self.clone();
        Box::pin(async move {
            let permit = breaker.acquire()?;
            let result = inner.oneshot(request).await;
            permit.record(classify(&result));
            result
        })
    }
}
