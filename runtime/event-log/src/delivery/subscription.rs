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

use super::attempt::{Outcome, attempt};
use super::lanes::{Job, Lanes};
use super::{Backoff, Context, Subscription};
use crate::{Delivery, LogError, Position, Reader};

/// Entries held at the same time for each event that is handled at the same time: enough to keep
/// the handlers busy, few enough that other hosts get their share.
const WINDOW: usize = 16;

/// How long telling the others may take that we leave.
const GOODBYE: Duration = Duration::from_secs(1);

/// How soon the log is asked again while it is away.
const RECONNECT: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

struct Loop {
    context: Arc<Context>,
    subscription: Arc<Subscription>,
    reader: Arc<Reader>,
    lanes: Lanes,
    running: JoinSet<(Job, Outcome)>,
    /// Handled, to be acknowledged.
    handled: Vec<Position>,
    acknowledging: Option<BoxFuture<'static, Vec<Position>>>,
    /// The log has done with these, but what it said before that may still be on its way here.
    settled: Vec<Position>,
    errand: Option<BoxFuture<'static, Result<Errand, LogError>>>,
    /// Whether the log knows this consumer and we know all it took.
    subscribed: bool,
    attend_at: Instant,
    /// Errands that failed in a row.
    failures: u32,
}

/// What an errand at the log brought.
enum Errand {
    Subscribed,
    Attended,
    Taken(Vec<Delivery>),
}

/// Delivers until told to stop.
pub(super) async fn deliver(
    context: Arc<Context>,
    subscription: Subscription,
    reader: Reader,
    mut stopping: watch::Receiver<bool>,
) {
    let mut work = Loop::new(context, subscription, reader);
    // An error says that the engine was dropped without a stop, which is one.
    while !*stopping.borrow_and_update() {
        tokio::select! {
            stopped = stopping.changed() => if stopped.is_err() { break },
            () = work.step() => {}
        }
    }
    work.drain().await;
}

// === impl Loop ===

impl Loop {
    fn new(context: Arc<Context>, subscription: Subscription, reader: Reader) -> Self {
        Self {
            lanes: Lanes::new(subscription.concurrency * WINDOW),
            context,
            subscription: Arc::new(subscription),
            reader: Arc::new(reader),
            running: JoinSet::new(),
            handled: Vec::new(),
            acknowledging: None,
            settled: Vec::new(),
            errand: None,
            subscribed: false,
            attend_at: Instant::now(),
            failures: 0,
        }
    }

    /// Starts whatever can be started, then waits for the first thing to happen. Cancel safe: what
    /// is under way is kept in `self`.
    async fn step(&mut self) {
        self.start_attempts();
        self.start_acknowledging();
        self.start_errand();
        let wake = self.wake_at();
        tokio::select! {
            Some(ended) = self.running.join_next() => self.attempted(ended),
            positions = under_way(&mut self.acknowledging) => self.acknowledged(positions),
            errand = under_way(&mut self.errand) => self.returned(errand),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }

    /// When time alone gives something to do.
    fn wake_at(&self) -> Option<Instant> {
        let may_run = self.running.len() < self.subscription.concurrency;
        let retry = self.lanes.next_due().filter(|_| may_run);
        let attend = self.errand.is_none().then_some(self.attend_at);
        retry.into_iter().chain(attend).min()
    }

    // --- handlers ---

    fn start_attempts(&mut self) {
        let now = Instant::now();
        while self.running.len() < self.subscription.concurrency
            && let Some(job) = self.lanes.next(now)
        {
            let (context, subscription) = (self.context.clone(), self.subscription.clone());
            let reader = self.reader.clone();
            self.running.spawn(async move {
                let outcome = attempt(&context, &subscription, &reader.group, &job).await;
                (job, outcome)
            });
        }
    }

    fn attempted(&mut self, ended: Result<(Job, Outcome), tokio::task::JoinError>) {
        // An attempt catches the panics of its handler; none of its own is known.
        let Ok((job, outcome)) = ended else { return };
        match outcome {
            Outcome::Handled => {
                self.lanes.finish(&job.lane);
                self.handled.push(job.position);
            }
            Outcome::Settled => {
                self.lanes.finish(&job.lane);
                self.settle(vec![job.position]);
            }
            Outcome::Retry {
                attempts,
                refusals,
                pause,
            } => {
                let due = Instant::now() + pause;
                self.lanes.retry(&job.lane, attempts, refusals, due);
            }
        }
    }

    // --- acknowledgements ---

    fn start_acknowledging(&mut self) {
        if self.acknowledging.is_none() && !self.handled.is_empty() {
            let positions = std::mem::take(&mut self.handled);
            let (context, reader) = (self.context.clone(), self.reader.clone());
            self.acknowledging = Some(Box::pin(async move {
                acknowledge(&context, &reader.group, &positions).await;
                positions
            }));
        }
    }

    fn acknowledged(&mut self, positions: Vec<Position>) {
        self.acknowledging = None;
        self.settle(positions);
    }

    /// An errand that set out before may bring these entries once more: until it is back, they are
    /// remembered.
    fn settle(&mut self, positions: Vec<Position>) {
        self.settled.extend(positions);
        if self.errand.is_none() {
            self.lanes.release(&std::mem::take(&mut self.settled));
        }
    }

    // --- errands ---

    fn start_errand(&mut self) {
        if self.errand.is_some() {
            return;
        }
        let now = Instant::now();
        if !self.subscribed {
            // What an earlier session asked for and gave up may still reach the log: it comes too late.
            self.reader = Arc::new(self.reader.renewed());
        }
        let (context, reader) = (self.context.clone(), self.reader.clone());
        if !self.subscribed {
            let pause = match self.failures {
                0 => Duration::ZERO,
                failures => RECONNECT.pause(failures),
            };
            self.errand = Some(Box::pin(async move {
                sleep(pause).await;
                context.log.subscribe(&reader).await?;
                Ok(Errand::Subscribed)
            }));
        } else if self.attend_at <= now {
            self.errand = Some(Box::pin(async move {
                context.log.attend(&reader, context.pace.patience).await?;
                Ok(Errand::Attended)
            }));
        } else if self.wants_more() {
            let (room, wait) = (self.lanes.room(), self.attend_at - now);
            self.errand = Some(Box::pin(async move {
                Ok(Errand::Taken(context.log.take(&reader, room, wait).await?))
            }));
        }
    }

    /// Rather many entries at once than one by one, but never an idle place for want of them.
    fn wants_more(&self) -> bool {
        let room = self.lanes.room();
        let idle = self.lanes.is_idle() && self.running.len() < self.subscription.concurrency;
        room > 0 && (idle || room * 2 >= self.subscription.concurrency * WINDOW)
    }

    fn returned(&mut self, errand: Result<Errand, LogError>) {
        self.errand = None;
        match errand {
            Ok(errand) => {
                self.failures = 0;
                self.context.log_is_back();
                self.received(errand);
            }
            // What a lost answer brought is found by subscribing again.
            Err(error) => {
                self.subscribed = false;
                self.failures = self.failures.saturating_add(1);
                if let LogError::Evicted { .. } = error {
                    tracing::warn!(%error, "events are left to its heir");
                    self.lanes.evict();
                } else {
                    self.context.log_is_away(&error);
                }
            }
        }
        self.settle(Vec::new());
    }

    fn received(&mut self, errand: Errand) {
        let now = Instant::now();
        match errand {
            Errand::Subscribed => {
                self.subscribed = true;
                self.attend_at = now;
            }
            Errand::Attended => self.attend_at = now + self.context.pace.attend,
            Errand::Taken(deliveries) => {
                for delivery in deliveries {
                    self.lanes.add(delivery, now);
                }
            }
        }
    }

    // --- the end ---

    async fn drain(mut self) {
        self.errand = None;
        let deadline = Instant::now() + self.context.pace.drain;
        if timeout_at(deadline, self.finish()).await.is_err() {
            tracing::warn!(
                component = self.subscription.component,
                running = self.running.len(),
                "events were still being handled; they will be delivered again"
            );
        }
        // If the log is away, the others will notice the silence instead.
        let _ = timeout(GOODBYE, self.context.log.leave(&self.reader)).await;
    }

    async fn finish(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            self.attempted(ended);
        }
        while self.acknowledging.is_some() || !self.handled.is_empty() {
            self.start_acknowledging();
            let positions = under_way(&mut self.acknowledging).await;
            self.acknowledged(positions);
        }
    }
}

/// The outcome of what is under way; waits for ever if nothing is.
async fn under_way<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Does not return before the log has it: what was handled once should not be again.
async fn acknowledge(context: &Context, group: &str, positions: &[Position]) {
    let mut failures = 0;
    while let Err(error) = context.log.acknowledge(group, positions).await {
        context.log_is_away(&error);
        failures += 1;
        sleep(RECONNECT.pause(failures)).await;
    }
}
