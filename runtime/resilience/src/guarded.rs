//! What every service of this crate asks of the one it guards.
//!
//! All of them are ready at any time and let the guarded service become ready *within* the guarded call, on a clone.
//! A wait for readiness is thus a part of the call: deadlines end it, breakers see it. (In tower's own layers it
//! happens before, where nothing limits it.) The price is one allocation per layer and call, which keeps each
//! protection one readable `async` block instead of a hand-written future.

use std::pin::Pin;
use std::task::{Context, Poll};

use tower::Service;

/// The answer of a guarded call, once it is there.
pub type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A service that can be guarded: one that is cheap to clone and may move between threads.
///
/// Nobody implements this; every service that fits is one.
pub trait Guarded<Request>:
    Service<Request, Future: Send, Response: Send, Error: Send> + Clone + Send + 'static
{
}

impl<S, Request> Guarded<Request> for S where
    S: Service<Request, Future: Send, Response: Send, Error: Send> + Clone + Send + 'static
{
}

/// What a guard says when it is asked whether it is ready.
pub(crate) fn always_ready<E>(_: &mut Context<'_>) -> Poll<Result<(), E>> {
    Poll::Ready(Ok(()))
}
