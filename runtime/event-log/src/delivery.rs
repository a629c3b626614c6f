//! Durable delivery: every event of a stream reaches every component that subscribed, at least
//! once, in order for each subject.
//!
//! One task for each subscription ([`subscription`]) takes entries from the log, sorts them into
//! lanes ([`lane_scheduler`]), runs the heads of different lanes at the same time and acknowledges what the
//! handler returned `Ok` for, and nothing else. A failed event is tried again after a pause that
//! grows ([`backoff`]) and holds back only its own lane; after the last attempt it is parked among
//! the dead letters and the lane goes on.
//!
//! When the log is unavailable (Redis is away), the task waits for it and never exits. When the
//! host dies, what it had taken is inherited by another one, or taken again when it is back.

mod attempt;
mod backoff;
mod lane_scheduler;
mod subscription;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Consumer, EventLog, LogError};

pub use self::backoff::Backoff;

/// What is done with an event.
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// Lets the component react. It must end by itself: the deadline of an invocation is the
    /// handler's.
    async fn handle(&self, component: &str, event: Bytes) -> Result<(), HandlerError>;
}

/// Why an event is not done with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// The component failed: this counts as an attempt.
    #[error("{0}")]
    Failed(String),
    /// The component was not even run (overload, an open breaker): this does not count.
    #[error("{0}")]
    Rejected(String),
}

/// What one component wants to be told, and how hard to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub component: String,
    pub streams: Vec<String>,
    /// Who shares the events: all hosts, or each host gets them all.
    pub audience: Audience,
    /// After how many failures an event is parked; at least 1.
    pub attempts: u32,
    /// How many events are handled at the same time; at least 1.
    pub concurrency: usize,
    pub backoff: Backoff,
}

/// Who shares the events of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// All hosts on one log together: the group is named after the component.
    Shared,
    /// Each host for itself, from the beginning: the group is named after component and host.
    EachHost,
}

/// How the engine paces itself. The defaults suit a host; tests are more impatient.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// How often a consumer shows that it lives.
    pub heartbeat_interval: Duration,
    /// How long a consumer may stay silent before the others inherit from it.
    pub consumer_timeout: Duration,
    /// How long a stop waits for what is running.
    pub drain_timeout: Duration,
}

/// Running deliveries; ended by [`Deliveries::stop`], or at once when dropped.
pub struct DeliveryEngine {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What all subscriptions of a host share.
struct DeliveryContext {
    log: Arc<dyn EventLog>,
    handler: Arc<dyn EventHandler>,
    settings: DeliverySettings,
    /// So that an outage is told once and not by each subscription.
    unavailable: AtomicBool,
}

// === impl Subscription ===

impl Subscription {
    /// The group whose progress the log remembers.
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
        }
    }
}

// === impl Deliveries ===

impl DeliveryEngine {
    /// Starts delivering. `host` names this host among those on the same log: two that run at the
    /// same time must not have the same name.
    pub fn start(
        log: Arc<dyn EventLog>,
        handler: Arc<dyn EventHandler>,
        host: &str,
        subscriptions: Vec<Subscription>,
        settings: DeliverySettings,
    ) -> Self {
        let (stop, stopping) = watch::channel(false);
        let context = Arc::new(DeliveryContext {
            log,
            handler,
            settings,
            unavailable: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for subscription in subscriptions {
            let streams: Vec<&str> = subscription.streams.iter().map(String::as_str).collect();
            let consumer = Consumer::new(&subscription.group(host), host, &streams);
            let (context, stopping) = (context.clone(), stopping.clone());
            tasks.spawn(subscription::deliver(
                context,
                subscription,
                consumer,
                stopping,
            ));
        }
        Self { stop, tasks }
    }

    /// Takes nothing more, finishes and acknowledges what runs, and lets others have the rest.
    pub async fn stop(mut self) {
        // Nobody listens only if every task has ended already.
        let _ = self.stop.send(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a delivery task failed");
            }
        }
    }
}

// === impl DeliveryContext ===

impl DeliveryContext {
    fn log_unavailable(&self, error: &LogError) {
        if !self.unavailable.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "event log unavailable");
        }
    }

    fn log_available(&self) {
        if self.unavailable.load(Ordering::Relaxed)
            && self.unavailable.swap(false, Ordering::Relaxed)
        {
            tracing::info!("event log available again");
        }
    }
}
