//! Logs that are away, hang, or lose their answers.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::{
    Continuity, Delivery, Entry, EntryId, Fields, GroupState, Position, Progress, RedisLog,
};
use storage::redis_client::test_support::RedisServer;

on_both_logs!(
    a_take_that_arrives_late_loses_nothing,
    an_outage_of_the_log_loses_and_parks_nothing,
    a_log_that_refuses_takes_is_asked_rarely,
);

on_redis!(a_consumer_that_was_away_delivers_nothing_that_another_one_has_handled,);

/// One consumer loses its connection for longer than the other one waits for it, with one event at work and others queued.
async fn a_consumer_that_was_away_delivers_nothing_that_another_one_has_handled(fixture: Fixture) {
    let flaky = Arc::new(Flaky::over(&fixture));
    flaky.loses_answers.store(false, Ordering::SeqCst);
    let log: Arc<dyn EventLog> = flaky.clone();
    let cut_off = Arc::new(Recorder::default());
    *cut_off.held_up.lock() = true;
    publish(&fixture.log, "a", 1..=20).await;
    let first = start(&log, &cut_off, "first");
    eventually(async || cut_off.running.load(Ordering::SeqCst), 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    flaky.away.store(true, Ordering::SeqCst);
    let handler = Arc::new(Recorder::default());
    let second = start(&fixture.log, &handler, "second");
    publish(&fixture.log, "a", 21..=25).await;
    eventually(async || handler.of("a"), (1..=25).collect()).await;
    flaky.away.store(false, Ordering::SeqCst);
    // It comes back within this time; then its one event at work ends.
    tokio::time::sleep(Duration::from_secs(1)).await;
    *cut_off.held_up.lock() = false;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(cut_off.of("a"), [1]);
    publish(&fixture.log, "b", 1..=20).await;
    quiet(&fixture.log, "message").await;
    let mut both = [cut_off.of("b"), handler.of("b")].concat();
    both.sort_unstable();
    assert_eq!(both, (1..=20).collect::<Vec<_>>());
    for deliveries in [first, second] {
        deliveries.stop().await;
    }
}

/// As on a Redis whose user may not execute blocking commands.
async fn a_log_that_refuses_takes_is_asked_rarely(fixture: Fixture) {
    let flaky = Arc::new(Flaky::over(&fixture));
    flaky.loses_answers.store(false, Ordering::SeqCst);
    flaky.refuses_takes.store(true, Ordering::SeqCst);
    let log: Arc<dyn EventLog> = flaky.clone();
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&log, &handler, "host");
    publish(&fixture.log, "a", 1..=1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let refused = flaky.refused.load(Ordering::SeqCst);
    assert!((1..20).contains(&refused), "asked {refused} times");
    flaky.refuses_takes.store(false, Ordering::SeqCst);
    eventually(async || handler.of("a"), vec![1]).await;
    deliveries.stop().await;
}

/// As on a hung server: the caller gives up on a take, subscribes anew, and then the take is done.
async fn a_take_that_arrives_late_loses_nothing(fixture: Fixture) {
    let flaky = Arc::new(Flaky::over(&fixture));
    flaky.late_takes.store(3, Ordering::SeqCst);
    flaky.loses_answers.store(false, Ordering::SeqCst);
    let log: Arc<dyn EventLog> = flaky.clone();
    let handler = Arc::new(Recorder::default());
    publish(&fixture.log, "a", 1..=20).await;
    let deliveries = start(&log, &handler, "host");
    eventually(async || handler.of("a"), (1..=20).collect()).await;
    assert_eq!(flaky.late_takes.load(Ordering::SeqCst), 0);
    deliveries.stop().await;
}

async fn an_outage_of_the_log_loses_and_parks_nothing(fixture: Fixture) {
    let flaky = Arc::new(Flaky::over(&fixture));
    let log: Arc<dyn EventLog> = flaky.clone();
    let handler = Recorder::reacting(|_, number, call| match (number + call) % 3 {
        0 => Recorder::failing(),
        _ => Ok(()),
    });
    let patient = Subscription {
        attempts: 100,
        ..subscription("message")
    };
    let deliveries = start_with(&log, &handler, "host", patient);
    for round in 0..4 {
        for subject in ["a", "b", "c"] {
            publish(&fixture.log, subject, round * 20 + 1..=round * 20 + 20).await;
        }
        flaky.away.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
        flaky.away.store(false, Ordering::SeqCst);
    }
    quiet(&fixture.log, "message").await;
    for subject in ["a", "b", "c"] {
        let mut numbers = handler.of(subject);
        numbers.dedup();
        assert_eq!(numbers, (1..=80).collect::<Vec<_>>(), "{subject}");
    }
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

/// What an operator sees: Redis is killed, or hangs, and comes back; the host never exits.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_dies_and_comes_back_loses_nothing() {
    let mut server = RedisServer::start().await;
    let log: Arc<dyn EventLog> = Arc::new(RedisLog::new(server.client()));
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&log, &handler, "host");
    publish(&log, "a", 1..=50).await;
    publish(&log, "b", 1..=50).await;
    server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.restart().await;
    // The server answers new connections already; the client notices its lost connection a moment later.
    eventually(async || log.length(STREAM).await.ok(), Some(100)).await;
    publish(&log, "a", 51..=60).await;
    publish(&log, "b", 51..=60).await;
    quiet(&log, "message").await;
    for subject in ["a", "b"] {
        let mut numbers = handler.of(subject);
        numbers.dedup();
        assert_eq!(numbers, (1..=60).collect::<Vec<_>>(), "{subject}");
    }
    assert_eq!(letters(&log).await, []);
    deliveries.stop().await;
}

/// Commands whose callers have given up still reach the server when it resumes.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_longer_than_we_wait_loses_nothing() {
    let server = RedisServer::start().await;
    let log: Arc<dyn EventLog> = Arc::new(RedisLog::new(server.client()));
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&log, &handler, "host");
    publish(&log, "a", 1..=500).await;
    server.freeze();
    tokio::time::sleep(storage::redis_client::RESPONSE_TIMEOUT + Duration::from_secs(1)).await;
    server.resume();
    eventually(async || handler.of("a").last().copied(), Some(500)).await;
    quiet(&log, "message").await;
    let mut numbers = handler.of("a");
    numbers.dedup();
    assert_eq!(numbers, (1..=500).collect::<Vec<_>>());
    deliveries.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_starts_before_its_redis() {
    let mut server = RedisServer::start().await;
    server.kill();
    let log: Arc<dyn EventLog> = Arc::new(RedisLog::new(server.client()));
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&log, &handler, "host");
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.restart().await;
    eventually(
        async || log.append(STREAM, &event("a", 1)).await.is_ok(),
        true,
    )
    .await;
    eventually(async || handler.of("a"), vec![1]).await;
    deliveries.stop().await;
}

/// A log that is away at times, and that otherwise may lose every fifth answer: what was asked is
/// done, and the caller does not learn it.
struct Flaky {
    log: Arc<dyn EventLog>,
    calls: AtomicUsize,
    loses_answers: AtomicBool,
    away: AtomicBool,
    /// So many takes are done only after the next subscription.
    late_takes: AtomicUsize,
    late: Mutex<Vec<Consumer>>,
    /// Whether takes are refused, while everything else works.
    refuses_takes: AtomicBool,
    refused: AtomicUsize,
}

impl Flaky {
    fn over(fixture: &Fixture) -> Self {
        Self {
            log: fixture.log.clone(),
            calls: AtomicUsize::new(0),
            loses_answers: AtomicBool::new(true),
            away: AtomicBool::new(false),
            late_takes: AtomicUsize::new(0),
            late: Mutex::new(Vec::new()),
            refuses_takes: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
        }
    }

    fn reach(&self) -> Result<(), LogError> {
        if self.away.load(Ordering::SeqCst) {
            Err(lost())
        } else {
            Ok(())
        }
    }

    fn answer<T>(&self, answer: Result<T, LogError>) -> Result<T, LogError> {
        let fifth = self.calls.fetch_add(1, Ordering::SeqCst) % 5 == 4;
        if fifth && self.loses_answers.load(Ordering::SeqCst) {
            return Err(lost());
        }
        answer
    }

    fn is_late(&self) -> bool {
        let fewer = |left: usize| left.checked_sub(1);
        self.late_takes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer)
            .is_ok()
    }
}

fn lost() -> LogError {
    rusqlite::Error::InvalidQuery.into()
}

macro_rules! flaky {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl EventLog for Flaky {
            async fn subscribe(&self, consumer: &Consumer) -> Result<(), LogError> {
                self.reach()?;
                self.log.subscribe(consumer).await?;
                let late = std::mem::take(&mut *self.late.lock());
                for consumer in late {
                    let _ = self.log.claim(&consumer, 100, Duration::ZERO).await;
                }
                self.answer(Ok(()))
            }

            fn progress(&self, stream: &str, group: &str) -> Option<Progress> {
                self.log.progress(stream, group)
            }

            fn forget(&self) {
                self.log.forget();
            }

            async fn claim(
                &self,
                consumer: &Consumer,
                limit: usize,
                wait: Duration,
            ) -> Result<Vec<Delivery>, LogError> {
                self.reach()?;
                if self.refuses_takes.load(Ordering::SeqCst) {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    return Err(lost());
                }
                if self.is_late() {
                    self.late.lock().push(consumer.clone());
                    return Err(lost());
                }
                let taken = self.log.claim(consumer, limit, wait).await;
                self.answer(taken)
            }

            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, LogError> {
                self.reach()?;
                let answer = self.log.$name($($argument),*).await;
                self.answer(answer)
            })*
        }
    };
}

flaky! {
    history() -> String;
    append(stream: &str, fields: &Fields) -> EntryId;
    range(stream: &str, from: EntryId, to: EntryId, limit: usize) -> Vec<Entry>;
    newest_ids(stream: &str, up_to: EntryId, limit: usize) -> Vec<EntryId>;
    length(stream: &str) -> u64;
    remove(stream: &str, id: EntryId) -> bool;
    acknowledge(group: &str, positions: &[Position]) -> ();
    record_failure(group: &str, position: &Position, error: &str, retry_after: Duration) -> Option<u32>;
    park(group: &str, position: &Position, error: &str, attempts: u32) -> Option<EntryId>;
    heartbeat(consumer: &Consumer, consumer_timeout: Duration) -> usize;
    leave(consumer: &Consumer) -> ();
    delete_group(group: &str, streams: &[Arc<str>]) -> ();
    groups(stream: &str) -> Vec<GroupState>;
    acknowledged_up_to(stream: &str, group: &str) -> Option<EntryId>;
    resume(stream: &str, group: &str, kept: Progress) -> Continuity;
    trim(stream: &str, keep: Duration, old: Option<EntryId>) -> u64;
    trimmed_up_to(stream: &str) -> Option<EntryId>;
    redrive(letter: EntryId) -> bool;
}
