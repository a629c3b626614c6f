//! The adaptive limit as a layer that only watches: whoever lets calls in listens to what it finds out.

use std::task::{Context, Poll};

use tower::{Layer, Service, ServiceExt as _};

use super::{AdaptiveLimit, LimitOutcome};
use crate::guarded::{Answering, Guarded, always_ready};

/// Has a [`AdaptiveLimit`] watch a service.
#[derive(Clone, Debug)]
pub struct ObserveLayer<C> {
    limit: AdaptiveLimit,
    classify: C,
}

/// A service that a limit learns from.
#[derive(Clone, Debug)]
pub struct ObserveService<S, C> {
    inner: S,
    limit: AdaptiveLimit,
    classify: C,
}

impl<C> ObserveLayer<C> {
    /// Has this limit watch; `classify` says what a result says about the load.
    pub fn new<T, E>(limit: AdaptiveLimit, classify: C) -> Self
    where
        C: Fn(&Result<T, E>) -> LimitOutcome,
    {
        Self { limit, classify }
    }
}

impl<S, C: Clone> Layer<S> for ObserveLayer<C> {
    type Service = ObserveService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ObserveService {
            inner,
            limit: self.limit.clone(),
            classify: self.classify.clone(),
        }
    }
}

impl<S, C, Request> Service<Request> for ObserveService<S, C>
where
    S: Guarded<Request>,
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
        let Self {
            inner,
            limit,
            classify,
        } = self.clone();
        Box::pin(async move {
            let permit = limit.observe();
            let result = inner.oneshot(request).await;
            permit.record(classify(&result));
            result
        })
    }
}
