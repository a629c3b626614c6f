//! The task of one subscription: it claims entries, runs handlers, retries and acknowledges.
//!
//! The task owns all its state and never waits for a single thing. At any time at most one request to the log
//! ([`log_request`]: subscribe, heartbeat or claim) and at most one acknowledgement are in flight, the latter for all
//! events that were handled during the previous one. Handlers run beside them.

mod log_request;
mod reconnect;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::log_request::LogRequests;
use self::reconnect::acknowledge;
use super::attempt::{AttemptOutcome, UnavailablePart, attempt};
use super::lane_scheduler::{LaneScheduler, QueuedEvent};
use super::outage::ComponentOutage;
use super::waiting::WaitingEvents;
use super::{DeliveryContext, Subscription};
use crate::{Consumer, Position};

/// The number of claimed entries for each event that may be handled concurrently: enough to keep the handlers busy, few
/// enough to leave other hosts their share.
const ENTRIES_PER_HANDLER: usize = 16;

/// The longest time that leaving the group may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

struct SubscriptionTask {
    context: Arc<DeliveryContext>,
    subscription: Arc<Subscription>,
    scheduler: LaneScheduler,
    running: JoinSet<(QueuedEvent, AttemptOutcome)>,
    /// Handled events that are to be acknowledged.
    handled: Vec<Position>,
    acknowledging: Option<BoxFuture<'static, Vec<Position>>>,
    /// Entries that are no longer pending, while the reply to an earlier claim may still contain them.
    resolved: Vec<Position>,
    requests: LogRequests,
    outage: ComponentOutage,
    waiting: WaitingEvents,
}

/// Delivers until `stop` is cancelled, then drains.
pub(super) async fn deliver(
    context: Arc<DeliveryContext>,
    subscription: Subscription,
    consumer: Consumer,
    stop: CancellationToken,
) {
    let mut task = SubscriptionTask::new(context, subscription, consumer);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = task.step() => {}
        }
    }
    task.drain().await;
}

impl SubscriptionTask {
    fn new(context: Arc<DeliveryContext>, subscription: Subscription, consumer: Consumer) -> Self {
        Self {
            scheduler: LaneScheduler::new(subscription.concurrency * ENTRIES_PER_HANDLER),
            requests: LogRequests::new(context.clone(), consumer, subscription.backoff.max()),
            context,
            subscription: Arc::new(subscription),
            running: JoinSet::new(),
            handled: Vec::new(),
            acknowledging: None,
            resolved: Vec::new(),
            outage: ComponentOutage::default(),
            waiting: WaitingEvents::default(),
        }
    }

    /// Starts whatever can be started, then waits for the first thing to happen. Cancel safe: work in flight is kept in
    /// `self`.
    async fn step(&mut self) {
        self.start_attempts();
        self.start_acknowledging();
        let claimable = self.claimable();
        self.requests.start(claimable);
        let wake = self.wake_at();
        tokio::select! {
            Some(ended) = self.running.join_next() => self.attempt_ended(ended),
            positions = in_flight(&mut self.acknowledging) => self.acknowledged(positions),
            drops_queue = self.requests.completed(&mut self.scheduler) => {
                if drops_queue {
                    self.waiting.forget_lanes();
                }
                self.resolve(Vec::new());
            }
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }

    /// The time at which a retry or a heartbeat is due.
    fn wake_at(&self) -> Option<Instant> {
        let retry = self.scheduler.next_due().filter(|_| self.may_run());
        let now = Instant::now();
        let resume = self.outage.paused_until().filter(|until| *until > now);
        let due = retry.into_iter().chain(resume);
        due.chain(self.requests.next_due()).min()
    }

    fn may_run(&self) -> bool {
        let concurrency = self.subscription.concurrency;
        self.running.len() < self.outage.concurrency(Instant::now(), concurrency)
    }

    /// The number of entries to claim next. It waits for room for several entries, unless a handler is idle.
    fn claimable(&self) -> Option<usize> {
        let free = self.scheduler.free_capacity();
        let idle = self.scheduler.is_idle() && self.may_run();
        let window = self.subscription.concurrency * ENTRIES_PER_HANDLER;
        (free > 0 && (idle || free * 2 >= window)).then_some(free)
    }

    // --- handlers ---

    fn start_attempts(&mut self) {
        let now = Instant::now();
        while self.may_run()
            && let Some(queued) = self.scheduler.next(now)
        {
            let (context, subscription) = (self.context.clone(), self.subscription.clone());
            let consumer = self.requests.consumer();
            self.running.spawn(async move {
                let outcome = attempt(&context, &subscription, &consumer.group, &queued).await;
                (queued, outcome)
            });
        }
    }

    fn attempt_ended(&mut self, ended: Result<(QueuedEvent, AttemptOutcome), JoinError>) {
        // An attempt catches the panics of its handler, so it does not panic itself.
        let Ok((queued, outcome)) = ended else { return };
        let now = Instant::now();
        self.note_availability(&queued, &outcome, now);
        match outcome {
            AttemptOutcome::Handled => {
                self.scheduler.finish(&queued.lane);
                self.handled.push(queued.position);
            }
            AttemptOutcome::Resolved => {
                self.scheduler.finish(&queued.lane);
                self.resolve(vec![queued.position]);
            }
            AttemptOutcome::Retry { attempts, delay } => {
                self.scheduler.retry(&queued.lane, attempts, 0, now + delay);
            }
            AttemptOutcome::Unavailable {
                rejections, delay, ..
            } => {
                self.scheduler
                    .retry(&queued.lane, queued.attempts, rejections, now + delay);
            }
        }
    }

    /// Pauses the subscription while its component is unavailable, and logs why events wait: each cause once.
    fn note_availability(&mut self, queued: &QueuedEvent, outcome: &AttemptOutcome, now: Instant) {
        let component = &*self.subscription.component;
        let AttemptOutcome::Unavailable {
            by,
            cause,
            rejections,
            delay,
        } = outcome
        else {
            self.outage.ran();
            if self.waiting.proceeds(&queued.lane) {
                tracing::info!(component, "events are delivered again");
            }
            return;
        };
        match by {
            UnavailablePart::Component => self.outage.rejected(now, *delay),
            UnavailablePart::Log => self.outage.ran(),
        }
        if self.waiting.waits(&queued.lane, *rejections, *delay, cause) {
            tracing::warn!(component, cause, "events wait");
        }
    }

    // --- acknowledgements ---

    fn start_acknowledging(&mut self) {
        if self.acknowledging.is_none() && !self.handled.is_empty() {
            let positions = std::mem::take(&mut self.handled);
            let (context, consumer) = (self.context.clone(), self.requests.consumer());
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

    /// Releases entries that are no longer pending. A claim that was sent earlier may return them once more, so they
    /// stay known until no request is in flight.
    fn resolve(&mut self, positions: Vec<Position>) {
        if !positions.is_empty() {
            self.context
                .note_acknowledged(&self.requests.consumer().group);
        }
        self.resolved.extend(positions);
        if !self.requests.in_flight() {
            self.scheduler.release(&std::mem::take(&mut self.resolved));
        }
    }

    // --- the end ---

    async fn drain(mut self) {
        let consumer = self.requests.abandon();
        let deadline = Instant::now() + self.context.settings.drain_timeout;
        if timeout_at(deadline, self.finish()).await.is_err() {
            tracing::warn!(
                component = self.subscription.component,
                running = self.running.len(),
                "handlers were still running at the stop; their events will be delivered again"
            );
        }
        // If it fails, the heartbeat timeout has the same effect later: nothing speaks for this session any more.
        let _ = timeout(LEAVE_TIMEOUT, self.context.log.leave(&consumer)).await;
    }

    async fn finish(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            self.attempt_ended(ended);
        }
        while self.acknowledging.is_some() || !self.handled.is_empty() {
            self.start_acknowledging();
            let positions = in_flight(&mut self.acknowledging).await;
            self.acknowledged(positions);
        }
    }
}

/// The result of a future; waits for ever without one.
async fn in_flight<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
