//! Durable delivery: every event of a stream reaches every subscribed component at least once, in the order of its
//! subject.
//!
//! One task for each subscription ([`subscription`]) claims entries from the log, sorts them into lanes
//! ([`lane_scheduler`]), runs the first entries of different lanes concurrently ([`attempt`]) and acknowledges the
//! events whose handler returned `Ok`. A failed event is retried after a delay that grows exponentially, and holds back
//! only its own lane. After the last attempt it is parked among the dead letters, and the lane continues.
//!
//! A dead letter means that *this event* cannot be handled. A component that is unavailable is waited for: its attempts
//! do not count, and after several in a row the subscription pauses and tries one event at a time ([`outage`]). A component
//! that crashes does so because of the event or whatever it gets: its attempts count, and last for minutes.
//!
//! While the log is unavailable, the task retries and never ends. When the host fails, another host takes over the
//! entries that it had claimed, or the host claims them again after its restart.

mod acknowledgements;
mod attempt;
mod lane_scheduler;
mod outage;
mod subscription;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use resilience::retry::Backoff;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::waiting::LoggedCauses;
use crate::{Consumer, EventLog, LogError, Position};

pub use self::acknowledgements::Acknowledgements;

/// The delays between the attempts at one event, where a subscription needs no others: up to 100 ms after the first
/// failure, and up to 30 s after many.
pub const DEFAULT_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(30));

/// The handler of events.
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// Lets the component handle an event. The same event can come more than once.
    ///
    /// An implementation must return in bounded time: delivery sets no deadline of its own. A panic counts as
    /// [`HandlerError::Failed`].
    ///
    /// # Errors
    /// See [`HandlerError`]. The event is delivered again, unless it is [`HandlerError::Invalid`].
    async fn handle(&self, component: &str, event: DeliveredEvent) -> Result<(), HandlerError>;
}

/// An event that is handed to its handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredEvent {
    /// The event.
    pub event: Bytes,
    /// The position of its entry.
    pub position: Position,
    /// The number of failed attempts before this one.
    pub failures: u32,
}

/// The reason why an event is not handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// The component failed on this event: the attempt counts.
    #[error("{0}")]
    Failed(String),
    /// The component ended or hung while it handled this event. That is more often its own fault than that of the event, so
    /// its attempts last for minutes.
    #[error("{0}")]
    Crashed(String),
    /// The component can never handle this event, for example because it is malformed: it is parked at once.
    #[error("{0}")]
    Invalid(String),
    /// The component, or something that it needs, is unavailable. That is not the fault of the event, so the attempt
    /// does not count, however long the outage lasts.
    #[error("{reason}")]
    Unavailable {
        reason: String,
        /// The time before which another attempt makes no sense.
        retry_after: Option<Duration>,
    },
}

/// The events that one component handles, and how they are retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub component: String,
    pub streams: Vec<String>,
    /// The types of the events that it handles; every type, if absent. An event without a type is handled.
    pub event_types: Option<BTreeSet<String>>,
    pub audience: Audience,
    /// The number of failed attempts after which an event is parked; at least 1.
    pub attempts: u32,
    /// The number of events that are handled concurrently; at least 1.
    pub concurrency: usize,
    /// The delays between the attempts at one event.
    pub backoff: Backoff,
}

/// The hosts among which the events of a subscription are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// All hosts on one log share the events: the group is named after the component.
    Shared,
    /// Each host gets all events, from the beginning: the group is named after the component and the host.
    EachHost,
}

/// The intervals of the engine. The defaults suit a host; tests use shorter ones.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// The time between two heartbeats of a consumer.
    pub heartbeat_interval: Duration,
    /// The time without a heartbeat after which another consumer takes over the pending entries.
    pub consumer_timeout: Duration,
    /// The longest time that a stop waits for running handlers.
    pub drain_timeout: Duration,
    /// Tells others that a group has acknowledged entries; nothing does if absent.
    pub acknowledgements: Option<Acknowledgements>,
}

/// Running deliveries. [`DeliveryEngine::stop`] ends them in order; dropping the value ends them at once.
pub struct DeliveryEngine {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// What all subscriptions of a host share.
struct DeliveryContext {
    log: Arc<dyn EventLog>,
    handler: Arc<dyn EventHandler>,
    settings: DeliverySettings,
    /// How many subscriptions and acknowledgements the log fails at present, and the causes that were logged.
    outage: Mutex<LogOutage>,
}

/// An outage of the log, as several subscriptions see it.
#[derive(Default)]
struct LogOutage {
    affected: usize,
    causes: LoggedCauses,
}

// === impl HandlerError ===

impl HandlerError {
    /// An outage of unknown length.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            retry_after: None,
        }
    }
}

// === impl Subscription ===

impl Subscription {
    /// The name of the consumer group on this host.
    pub fn group(&self, host: &str) -> String {
        match self.audience {
            Audience::Shared => self.component.clone(),
            Audience::EachHost => format!("{}@{host}", self.component),
        }
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(2),
            consumer_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(15),
            acknowledgements: None,
        }
    }
}

// === impl DeliveryEngine ===

impl DeliveryEngine {
    /// Starts one task for each subscription. `host` is the name of the consumers; two hosts that run at the same time
    /// on one log must have different names.
    pub fn start(
        log: Arc<dyn EventLog>,
        handler: Arc<dyn EventHandler>,
        host: &str,
        subscriptions: Vec<Subscription>,
        settings: DeliverySettings,
    ) -> Self {
        let stop = CancellationToken::new();
        let context = Arc::new(DeliveryContext {
            log,
            handler,
            settings,
            outage: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for subscription in subscriptions {
            let streams: Vec<&str> = subscription.streams.iter().map(String::as_str).collect();
            let consumer = Consumer::new(&subscription.group(host), host, &streams)
                .with_event_types(subscription.event_types.clone());
            tasks.spawn(subscription::deliver(
                context.clone(),
                subscription,
                consumer,
                stop.clone(),
            ));
        }
        Self { stop, tasks }
    }

    /// Claims no more entries, waits for running handlers up to [`DeliverySettings::drain_timeout`], acknowledges what
    /// they handled, and leaves the other entries to other consumers.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a delivery task failed");
            }
        }
    }
}

// === impl DeliveryContext ===

impl DeliveryContext {
    /// A subscription, or an acknowledgement of one, fails. `is_first` says whether it did not before.
    fn log_unavailable(&self, error: &LogError, is_first: bool) {
        let mut outage = self.outage.lock();
        outage.affected += usize::from(is_first);
        if outage.causes.is_news(&error.to_string()) {
            tracing::warn!(%error, "event log unavailable");
        }
    }

    fn note_acknowledged(&self, group: &str) {
        if let Some(acknowledgements) = &self.settings.acknowledgements {
            acknowledgements.note(group);
        }
    }

    /// What failed succeeds again.
    fn log_available(&self) {
        let mut outage = self.outage.lock();
        outage.affected = outage.affected.saturating_sub(1);
        if outage.affected == 0 && outage.causes.end() {
            tracing::info!("event log available again");
        }
    }
}
