//! What a context needs from outside besides other contexts: its stores, the event log, a clock,
//! identifiers and a way to wait. One port, so that a use case takes one argument, and the
//! simulation can put a crash between any two calls of it.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use crate::Store;
use events::Timestamp;
use std::time::Duration;

/// Why an event could not be put into the log. It may be there all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event log does not answer: {0}")]
pub struct LogError(pub String);

/// The world around a context.
pub trait Platform {
    /// The kind of store it offers.
    type Store: Store;

    /// The store of the aggregates, their counters and claims.
    fn state(&self) -> &Self::Store;
    /// The small store of what is still to be done: intents to publish, sagas under way.
    fn outbox(&self) -> &Self::Store;
    /// Appends an event to the log and wakes who listens.
    async fn append(&self, stream: &str, event: &str) -> Result<(), LogError>;
    /// What time it is.
    fn now(&self) -> Timestamp;
    /// An identifier that nobody else will ever draw: 32 lower-case hexadecimal digits.
    fn unique_id(&self) -> String;
    /// Lets `duration` go by.
    async fn sleep(&self, duration: Duration);
}

/// A borrowed platform is a platform.
impl<P: Platform> Platform for &P {
    type Store = P::Store;

    fn state(&self) -> &Self::Store {
        (**self).state()
    }

    fn outbox(&self) -> &Self::Store {
        (**self).outbox()
    }

    async fn append(&self, stream: &str, event: &str) -> Result<(), LogError> {
        (**self).append(stream, event).await
    }

    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn unique_id(&self) -> String {
        (**self).unique_id()
    }

    async fn sleep(&self, duration: Duration) {
        (**self).sleep(duration).await;
    }
}
