//! One subscription at work: a loop that takes, runs, retries and acknowledges.
//!
//! The loop owns all its state and never waits for one thing only. At any time there is at most
//! one *errand* under way at the log (subscribe, attend or take) and at most one acknowledgement,
//! for everything that was handled while the last one was under way; handlers run beside them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::attempt::{AttemptOutcome, attempt};
use super::lane_scheduler::{LaneScheduler, QueuedEvent};
use super::{Backoff, DeliveryContext, Subscription};
use crate::{Consumer, Delivery, LogError, Position};

/// Entries held at the same time for each event that is handled at the same time: enough to keep
/// the handlers busy, few enough that other hosts get their share.
const ENTRIES_PER_HANDLER: usize = 16;

/// How long telling the others may take that we leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How soon the log is asked again while it is away.
const RECONNECT_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

struct SubscriptionTask {
    context: Arc<DeliveryContext>,
    subscription: Arc<Subscription>,
    consumer: Arc<Consumer>,
    scheduler: LaneScheduler,
    running: JoinSet<(QueuedEvent, AttemptOutcome)>,
    /// Handled, to be acknowledged.
    handled: Vec<Position>,
    acknowledging: Option<BoxFuture<'static, Vec<Position>>>,
    /// The log has done with these, but what it said before that may still be on its way here.
    resolved: Vec<Position>,
    request: Option<BoxFuture<'static, Result<LogReply, LogError>>>,
    /// Whether the log knows this consumer and we know all it took.
    subscribed: bool,
    heartbeat_at: Instant,
    /// Errands that failed in a row.
    failures: u32,
}

/// What an errand at the log brought.
enum LogReply {
    Subscribed,
    HeartbeatRecorded,
    Claimed(Vec<Delivery>),
}

/// Delivers until told to stop.
pub(super) async fn deliver(
    context: Arc<DeliveryContext>,
    subscription: Subscription,
    consumer: Consumer,
    mut stopping: watch::Receiver<bool>,
) {
    let mut work = SubscriptionTask::new(context, subscription, consumer);
    // An error says that the engine was dropped without a stop, which is one.
    while !*stopping.borrow_and_update() {
        tokio::select! {
            stopped = stopping.changed() => if stopped.is_err() { break },
            () = work.step() => {}
        }
    }
    work.drain().await;
}

// === impl SubscriptionTask ===

impl SubscriptionTask {
    fn new(context: Arc<DeliveryContext>, subscription: Subscription, consumer: Consumer) -> Self {
        Self {
            scheduler: LaneScheduler::new(subscription.concurrency * ENTRIES_PER_HANDLER),
            context,
            subscription: Arc::new(subscription),
            consumer: Arc::new(consumer),
            running: JoinSet::new(),
            handled: Vec::new(),
            acknowledging: None,
            resolved: Vec::new(),
            request: None,
            subscribed: false,
            heartbeat_at: Instant::now(),
            failures: 0,
        }
    }

    /// Starts whatever can be started, then waits for the first thing to happen. Cancel safe: what
    /// is under way is kept in `self`.
    async fn step(&mut self) {
        self.start_attempts();
        self.start_acknowledging();
        self.start_request();
        let wake = self.wake_at();
        tokio::select! {
            Some(ended) = self.running.join_next() => self.attempted(ended),
            positions = completed(&mut self.acknowledging) => self.acknowledged(positions),
            request = completed(&mut self.request) => self.returned(request),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }

    /// When time alone gives something to do.
    fn wake_at(&self) -> Option<Instant> {
        let may_run = self.running.len() < self.subscription.concurrency;
        let retry = self.scheduler.next_due().filter(|_| may_run);
        let attend = self.request.is_none().then_some(self.heartbeat_at);
        retry.into_iter().chain(attend).min()
    }

    // --- handlers ---

    fn start_attempts(&mut self) {
        let now = Instant::now();
        while self.running.len() < self.subscription.concurrency
            && let Some(queued) = self.scheduler.next(now)
        {
            let (context, subscription) = (self.context.clone(), self.subscription.clone());
            let consumer = self.consumer.clone();
            self.running.spawn(async move {
                let outcome = attempt(&context, &subscription, &consumer.group, &queued).await;
                (queued, outcome)
            });
        }
    }

    fn attempted(&mut self, ended: Result<(QueuedEvent, AttemptOutcome), tokio::task::JoinError>) {
        // An attempt catches the panics of its handler; none of its own is known.
        let Ok((queued, outcome)) = ended else { return };
        match outcome {
            AttemptOutcome::Handled => {
                self.scheduler.finish(&queued.lane);
                self.handled.push(queued.position);
            }
            AttemptOutcome::Resolved => {
                self.scheduler.finish(&queued.lane);
                self.resolve(vec![queued.position]);
            }
            AttemptOutcome::Retry {
                attempts,
                rejections,
                delay,
            } => {
                let due = Instant::now() + delay;
                self.scheduler
                    .retry(&queued.lane, attempts, rejections, due);
            }
        }
    }

    // --- acknowledgements ---

    fn start_acknowledging(&mut self) {
        if self.acknowledging.is_none() && !self.handled.is_empty() {
            let positions = std::mem::take(&mut self.handled);
            let (context, consumer) = (self.context.clone(), self.consumer.clone());
            self.acknowledging = Some(Box::pin(async move {
                acknowledge(&context, &consumer.group, &positions).await;
                positions
            }));
        }
    }

    fn acknowledged(&mut self, positions: Vec<Position>) {
        self.acknowledging = None;
        self.resolve(positions);
    }

    /// An errand that set out before may bring these entries once more: until it is back, they are
    /// remembered.
    fn resolve(&mut self, positions: Vec<Position>) {
        self.resolved.extend(positions);
        if self.request.is_none() {
            self.scheduler.release(&std::mem::take(&mut self.resolved));
        }
    }

    // --- errands ---

    fn start_request(&mut self) {
        if self.request.is_some() {
            return;
        }
        let now = Instant::now();
        if !self.subscribed {
            // What an earlier session asked for and gave up may still reach the log: it comes too late.
            self.consumer = Arc::new(self.consumer.with_new_session());
        }
        let (context, consumer) = (self.context.clone(), self.consumer.clone());
        if !self.subscribed {
            let delay = match self.failures {
                0 => Duration::ZERO,
                failures => RECONNECT_BACKOFF.pause(failures),
            };
            self.request = Some(Box::pin(async move {
                sleep(delay).await;
                context.log.subscribe(&consumer).await?;
                Ok(LogReply::Subscribed)
            }));
        } else if self.heartbeat_at <= now {
            self.request = Some(Box::pin(async move {
                context
                    .log
                    .heartbeat(&consumer, context.settings.consumer_timeout)
                    .await?;
                Ok(LogReply::HeartbeatRecorded)
            }));
        } else if self.has_room_to_claim() {
            let (room, wait) = (self.scheduler.free_capacity(), self.heartbeat_at - now);
            self.request = Some(Box::pin(async move {
                Ok(LogReply::Claimed(
                    context.log.claim(&consumer, room, wait).await?,
                ))
            }));
        }
    }

    /// Rather many entries at once than one by one, but never an idle place for want of them.
    fn has_room_to_claim(&self) -> bool {
        let room = self.scheduler.free_capacity();
        let idle = self.scheduler.is_idle() && self.running.len() < self.subscription.concurrency;
        room > 0 && (idle || room * 2 >= self.subscription.concurrency * ENTRIES_PER_HANDLER)
    }

    fn returned(&mut self, request: Result<LogReply, LogError>) {
        self.request = None;
        match request {
            Ok(request) => {
                self.failures = 0;
                self.context.log_available();
                self.received(request);
            }
            // What a lost answer brought is found by subscribing again.
            Err(error) => {
                self.subscribed = false;
                self.failures = self.failures.saturating_add(1);
                if let LogError::Evicted { .. } = error {
                    tracing::warn!(%error, "events are left to its heir");
                    self.scheduler.drop_queued();
                } else {
                    self.context.log_unavailable(&error);
                }
            }
        }
        self.resolve(Vec::new());
    }

    fn received(&mut self, request: LogReply) {
        let now = Instant::now();
        match request {
            LogReply::Subscribed => {
                self.subscribed = true;
                self.heartbeat_at = now;
            }
            LogReply::HeartbeatRecorded => {
                self.heartbeat_at = now + self.context.settings.heartbeat_interval
            }
            LogReply::Claimed(deliveries) => {
                for delivery in deliveries {
                    self.scheduler.add(delivery, now);
                }
            }
        }
    }

    // --- the end ---

    async fn drain(mut self) {
        self.request = None;
        let deadline = Instant::now() + self.context.settings.drain_timeout;
        if timeout_at(deadline, self.finish()).await.is_err() {
            tracing::warn!(
                component = self.subscription.component,
                running = self.running.len(),
                "events were still being handled; they will be delivered again"
            );
        }
        // If the log is away, the others will notice the silence instead.
        let _ = timeout(LEAVE_TIMEOUT, self.context.log.leave(&self.consumer)).await;
    }

    async fn finish(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            self.attempted(ended);
        }
        while self.acknowledging.is_some() || !self.handled.is_empty() {
            self.start_acknowledging();
            let positions = completed(&mut self.acknowledging).await;
            self.acknowledged(positions);
        }
    }
}

/// The outcome of what is under way; waits for ever if nothing is.
async fn completed<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Does not return before the log has it: what was handled once should not be again.
async fn acknowledge(context: &DeliveryContext, group: &str, positions: &[Position]) {
    let mut failures = 0;
    while let Err(error) = context.log.acknowledge(group, positions).await {
        context.log_unavailable(&error);
        failures += 1;
        sleep(RECONNECT_BACKOFF.pause(failures)).await;
    }
}
