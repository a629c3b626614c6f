//! The platform port: the stores, the event log, the clock, identifiers, timers and variables of a context.
//!
//! One port for all of them keeps every use case at one argument, and lets the simulation crash a
//! context between any two of its calls.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use crate::store::Store;
use events::Timestamp;
use std::time::Duration;

/// The event log failed or did not answer in time. The event may be appended all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event log does not answer: {0}")]
pub struct LogError(pub String);

/// The platform that a context runs on.
pub trait Platform {
    /// The type of both stores.
    type Store: Store;

    /// The store of the aggregates, counters and claims.
    fn state(&self) -> &Self::Store;

    /// The store of unfinished work: intents to publish, sagas in progress. It must stay small, as sweeps
    /// list its keys.
    fn outbox(&self) -> &Self::Store;

    /// Appends `event`, a CloudEvents JSON object, to the log `stream` and wakes its consumers.
    ///
    /// After `Ok` the event is durable and every consumer of the stream receives it at least once, in
    /// the order of the appends. An implementation must bound the time of the call (2 s on Spin). A
    /// caller that repeats a failed append may append the event twice.
    ///
    /// # Errors
    ///
    /// The log failed; the event may be appended all the same.
    async fn append(&self, stream: &str, event: &str) -> Result<(), LogError>;

    /// The current time, in UTC. It may differ between hosts and may go backwards.
    fn now(&self) -> Timestamp;

    /// The name of the host whose clock [`Self::now`] reads; empty where hosts have no names.
    fn host(&self) -> String {
        String::new()
    }

    /// A new identifier of 32 lower-case hexadecimal digits. No other call on any host returns the same.
    fn unique_id(&self) -> String;

    /// Waits for `duration`.
    async fn sleep(&self, duration: Duration);

    /// The value of a variable of the application; `None` if it has none.
    async fn variable(&self, _name: &str) -> Option<String> {
        None
    }
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

    fn host(&self) -> String {
        (**self).host()
    }

    fn unique_id(&self) -> String {
        (**self).unique_id()
    }

    async fn sleep(&self, duration: Duration) {
        (**self).sleep(duration).await;
    }

    async fn variable(&self, name: &str) -> Option<String> {
        (**self).variable(name).await
    }
}
