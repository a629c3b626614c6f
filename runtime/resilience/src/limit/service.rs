//! The adaptive limit as a layer: refuses what is too much, and learns from what it lets through.

use std::task::{Context, Poll};

use tower::{Layer, Service, ServiceExt as _};

use super::{AdaptiveLimit, LimitOutcome, LimitRejection};
use crate::Priority;
use crate::guarded::{Answering, Guarded, always_ready};

/// Puts a [`AdaptiveLimit`] before a service.
#[derive(Clone, Debug)]
pub struct LimitLayer<P, C> {
    limit: AdaptiveLimit,
    priority_of: P,
    classify: C,
}

/// A service that gets no more calls at once than it takes.
#[derive(Clone, Debug)]
pub struct LimitService<S, P, C> {
    inner: S,
    limit: AdaptiveLimit,
    priority_of: P,
    classify: C,
}

impl<P, C> LimitLayer<P, C> {
    /// Guards with this limit; `priority_of` says how much a request matters, `classify` what a result says about
    /// the load.
    pub fn new<Request, T, E>(limit: AdaptiveLimit, priority_of: P, classify: C) -> Self
    where
        P: Fn(&Request) -> Priority,
        C: Fn(&Result<T, E>) -> LimitOutcome,
    {
        Self {
            limit,
            priority_of,
            classify,
        }
    }
}

impl<S, P: Clone, C: Clone> Layer<S> for LimitLayer<P, C> {
    type Service = LimitService<S, P, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self {
            limit,
            priority_of,
            classify,
        } = self.clone();
        LimitService {
            inner,
            limit,
            priority_of,
            classify,
        }
    }
}

impl<S, P, C, Request> Service<Request> for LimitService<S, P, C>
where
    S: Guarded<Request, Error: From<LimitRejection>>,
    P: Fn(&Request) -> Priority,
    C: Fn(&Result<S::Response, S::Error>) -> LimitOutcome + Clone + Send + 'static,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answering<Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        always_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let priority = (self.priority_of)(&request);
        let (inner, limit, classify) = (
            self.inner.clone(),
            self.limit.clone(),
            self.classify.clone(),
        );
        Box::pin(async move {
            let permit = limit.acquire(priority)?;
            let result = inner.oneshot(request).await;
            permit.record(classify(&result));
            result
        })
    }
}
