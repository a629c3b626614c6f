//! The requests of a subscription to the log, one at a time: subscribe, then heartbeats and claims.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::super::DeliveryContext;
use super::super::lane_scheduler::LaneScheduler;
use super::in_flight;
use super::reconnect::reconnect_delay;
use crate::{Consumer, Delivery, LogError};

/// The consumer of a subscription, and its request in flight.
pub(super) struct LogRequests {
    context: Arc<DeliveryContext>,
    consumer: Arc<Consumer>,
    request: Option<BoxFuture<'static, Result<LogReply, LogError>>>,
    /// Whether the log knows this session and all entries that it claimed have arrived.
    subscribed: bool,
    heartbeat_at: Instant,
    /// Failed requests since the last claim that succeeded.
    failures: u32,
    /// The longest delay between two attempts at an event.
    longest_delay: Duration,
    /// Whether the log counts as unavailable to this subscription.
    is_unavailable: bool,
}

enum LogReply {
    Subscribed,
    HeartbeatRecorded,
    Claimed(Vec<Delivery>),
}

impl LogRequests {
    pub fn new(context: Arc<DeliveryContext>, consumer: Consumer, longest_delay: Duration) -> Self {
        Self {
            context,
            consumer: Arc::new(consumer),
            request: None,
            subscribed: false,
            heartbeat_at: Instant::now(),
            failures: 0,
            longest_delay,
            is_unavailable: false,
        }
    }

    /// The consumer in its present session.
    pub fn consumer(&self) -> Arc<Consumer> {
        self.consumer.clone()
    }

    pub fn in_flight(&self) -> bool {
        self.request.is_some()
    }

    /// The time of the next heartbeat, while no request is in flight.
    pub fn next_due(&self) -> Option<Instant> {
        self.request.is_none().then_some(self.heartbeat_at)
    }

    /// Ends the request in flight, and returns the consumer.
    pub fn abandon(&mut self) -> Arc<Consumer> {
        self.request = None;
        self.consumer.clone()
    }

    /// Starts the next request, if none is in flight. It claims entries if `claimable` is set.
    pub fn start(&mut self, claimable: Option<usize>) {
        if self.request.is_some() {
            return;
        }
        let now = Instant::now();
        if !self.subscribed {
            self.subscribe();
        } else if self.heartbeat_at <= now {
            self.heartbeat();
        } else if let Some(limit) = claimable {
            self.claim(limit, self.heartbeat_at - now);
        }
    }

    fn subscribe(&mut self) {
        // Abandoned requests of an earlier session may still reach the log; the new session makes them fail there.
        self.consumer = Arc::new(self.consumer.with_new_session());
        let (context, consumer) = (self.context.clone(), self.consumer.clone());
        let delay = match self.failures {
            0 => Duration::ZERO,
            failures => reconnect_delay(failures),
        };
        self.request = Some(Box::pin(async move {
            sleep(delay).await;
            context.log.subscribe(&consumer).await?;
            Ok(LogReply::Subscribed)
        }));
    }

    fn heartbeat(&mut self) {
        let (context, consumer) = (self.context.clone(), self.consumer.clone());
        self.request = Some(Box::pin(async move {
            let consumer_timeout = context.settings.consumer_timeout;
            context.log.heartbeat(&consumer, consumer_timeout).await?;
            Ok(LogReply::HeartbeatRecorded)
        }));
    }

    fn claim(&mut self, limit: usize, wait: Duration) {
        let (context, consumer) = (self.context.clone(), self.consumer.clone());
        self.request = Some(Box::pin(async move {
            let deliveries = context.log.claim(&consumer, limit, wait).await?;
            Ok(LogReply::Claimed(deliveries))
        }));
    }

    /// Waits for the request in flight, and applies its reply; waits for ever without one. Returns whether the queued events
    /// were dropped. Cancel safe.
    pub async fn completed(&mut self, scheduler: &mut LaneScheduler) -> bool {
        let reply = in_flight(&mut self.request).await;
        self.request = None;
        let drops_queue = matches!(
            reply,
            Ok(LogReply::Subscribed) | Err(LogError::Evicted { .. })
        );
        match reply {
            Ok(reply) => self.apply(reply, scheduler),
            Err(error) => self.failed(&error, scheduler),
        }
        drops_queue
    }

    fn apply(&mut self, reply: LogReply, scheduler: &mut LaneScheduler) {
        let now = Instant::now();
        match reply {
            LogReply::Subscribed => {
                // While the log was unavailable, another consumer may have handled what is queued here, and later events of
                // the same lanes. What is still pending for this name is claimed again.
                scheduler.drop_queued();
                self.subscribed = true;
                self.heartbeat_at = now;
            }
            LogReply::HeartbeatRecorded => {
                self.heartbeat_at = now + self.context.settings.heartbeat_interval;
            }
            LogReply::Claimed(deliveries) => {
                // A log that subscribes and refuses to hand out entries is not available.
                self.failures = 0;
                if std::mem::take(&mut self.is_unavailable) {
                    self.context.log_available();
                }
                for mut delivery in deliveries {
                    // The log keeps a time of day, and a clock may have been turned since.
                    delivery.due_in = delivery.due_in.min(self.longest_delay);
                    scheduler.add(delivery, now);
                }
            }
        }
    }

    /// Subscribes again: the lost reply to a claim may have contained entries, and a new session can claim them.
    fn failed(&mut self, error: &LogError, scheduler: &mut LaneScheduler) {
        self.subscribed = false;
        self.failures = self.failures.saturating_add(1);
        if let LogError::Evicted { .. } = error {
            tracing::warn!(%error, "another consumer has taken over the pending events");
            scheduler.drop_queued();
        } else {
            let is_first = !std::mem::replace(&mut self.is_unavailable, true);
            self.context.log_unavailable(error, is_first);
        }
    }
}
