//! The bulkhead as a layer: each call holds its place until it has its answer.

use std::task::{Context, Poll};

use tower::{Layer, Service, ServiceExt as _};

use super::{Bulkhead, BulkheadRejection};
use crate::Priority;
use crate::guarded::{Answering, Guarded, always_ready};

/// Puts a [`Bulkhead`] before a service.
#[derive(Clone, Debug)]
pub struct BulkheadLayer<P> {
    bulkhead: Bulkhead,
    priority_of: P,
}

/// A service that works on a bounded number of calls.
#[derive(Clone, Debug)]
pub struct BulkheadService<S, P> {
    inner: S,
    bulkhead: Bulkhead,
    priority_of: P,
}

impl<P> BulkheadLayer<P> {
    /// Guards with this bulkhead; `priority_of` says how much a request matters.
    pub fn new<Request>(bulkhead: Bulkhead, priority_of: P) -> Self
    where
        P: Fn(&Request) -> Priority,
    {
        Self {
            bulkhead,
            priority_of,
        }
    }
}

impl<S, P: Clone> Layer<S> for BulkheadLayer<P> {
    type Service = BulkheadService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let priority_of = self.priority_of.clone();
        BulkheadService {
            inner,
            bulkhead: self.bulkhead.clone(),
            priority_of,
        }
    }
}

impl<S, P, Request> Service<Request> for BulkheadService<S, P>
where
    S: Guarded<Request, Error: From<BulkheadRejection>>,
    P: Fn(&Request) -> Priority,
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
        let (inner, bulkhead) = (self.inner.clone(), self.bulkhead.clone());
        Box::pin(async move {
            let permit = bulkhead.acquire(priority).await?;
            let result = inner.oneshot(request).await;
            drop(permit);
            result
        })
    }
}
