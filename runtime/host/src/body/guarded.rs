//! Holds a value, such as a permit or a counter, until the last byte of a body is read or the body is dropped.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body as _, Frame};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{BodyObserver, ObservedBody, is_complete};

/// A body of at most this many bytes gets no timer: a socket takes it at once, and a stream that does not take it is ended
/// soon ([`crate::trigger::http`]).
const SHORT_BODY: u64 = 16 << 10;

/// A body that holds a guard.
pub type GuardedBody<G> = ObservedBody<HoldGuard<G>>;

/// Holds a guard until the body ends.
pub struct HoldGuard<G>(Option<G>);

/// A guard of a body that may not be read to its end.
pub enum GuardLease<G> {
    /// It is held as long as the body.
    Unlimited(G),
    /// It is released at a deadline, even while the body is not polled.
    Deadline(Arc<Mutex<Option<G>>>, AbortHandle),
}

// === impl GuardedBody ===

impl<G: Send + Unpin + 'static> GuardedBody<G> {
    /// Holds `guard` as long as the body lasts.
    pub fn new(body: WasiBody, guard: G) -> Self {
        let guard = (!is_complete(&body)).then_some(guard);
        Self::observed(body, HoldGuard(guard))
    }
}

impl<G: Send + Unpin + 'static> GuardedBody<GuardLease<G>> {
    /// Holds `guard` as long as the body lasts, and a body that is not short until `deadline` at most: the rest of a body is
    /// not polled while the client does not read.
    pub fn until(body: WasiBody, guard: G, deadline: Instant) -> Self {
        let is_short = body
            .size_hint()
            .upper()
            .is_some_and(|most| most <= SHORT_BODY);
        let guard = match is_short {
            true => GuardLease::Unlimited(guard),
            false => GuardLease::until(guard, deadline),
        };
        Self::new(body, guard)
    }
}

impl<G: Send + Unpin + 'static> BodyObserver for HoldGuard<G> {
    fn on_frame(&mut self, _: &Frame<Bytes>, rest: &WasiBody) {
        if is_complete(rest) {
            self.0 = None;
        }
    }

    fn on_end(&mut self) -> Result<(), Error> {
        self.0 = None;
        Ok(())
    }

    fn on_error(&mut self, _: &Error) {
        self.0 = None;
    }
}

// === impl GuardLease ===

impl<G: Send + 'static> GuardLease<G> {
    fn until(guard: G, deadline: Instant) -> Self {
        let held = Arc::new(Mutex::new(Some(guard)));
        let shared = held.clone();
        let task = tokio::spawn(async move {
            tokio::time::sleep_until(deadline.into()).await;
            drop(shared.lock().take());
        });
        Self::Deadline(held, task.abort_handle())
    }
}

impl<G> Drop for GuardLease<G> {
    fn drop(&mut self) {
        if let Self::Deadline(held, task) = self {
            // The guard is released now, and not when the aborted task is polled.
            drop(held.lock().take());
            task.abort();
        }
    }
}
