//! The engine against each log: what a component is told, whatever fails around it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;

use super::*;
use crate::log::tests::{Fixture, embedded, event, redis};
use crate::log::{Delivery, Entry, EntryId, Fields, GroupState, Position, RedisLog, dead_letters};
use crate::remote::tests::RedisServer;

const STREAM: &str = "socar.car";
const IMPATIENT: Pace = Pace {
    attend: Duration::from_millis(20),
    patience: Duration::from_millis(200),
    drain: Duration::from_secs(5),
};

macro_rules! on_both_logs {
    ($($name:ident),* $(,)?) => {
        mod on_embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::embedded()).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::redis().await).await;
            })*
        }
    };
}

on_both_logs!(
    every_event_is_handled_once_and_in_order,
    subjects_are_handled_at_the_same_time_up_to_the_limit,
    a_failing_event_is_tried_again_and_holds_back_only_its_subject,
    an_event_that_keeps_failing_is_parked_and_the_next_one_goes_on,
    a_long_failing_subject_does_not_starve_the_others,
    many_failing_subjects_do_not_starve_the_others,
    a_refused_event_is_never_parked,
    a_panic_of_the_handler_is_a_failure,
    an_entry_without_an_event_is_parked_at_once,
    a_stop_finishes_what_runs_and_takes_nothing_more,
    a_host_that_died_is_followed_by_itself,
    a_host_that_died_is_followed_by_another,
    two_hosts_share_the_events_and_keep_their_order,
    each_host_gets_every_event_if_it_asks_for_that,
    an_outage_of_the_log_loses_and_parks_nothing,
    a_redriven_letter_is_handled,
);

/// Remembers what it was told; fails as the test says.
#[derive(Default)]
struct Recorder {
    /// Numbers of the events that were handled, by subject.
    handled: Mutex<BTreeMap<String, Vec<usize>>>,
    running: AtomicUsize,
    most_at_once: AtomicUsize,
    calls: AtomicUsize,
    reaction: Mutex<Option<Reaction>>,
    /// As long as this is `true`, handlers do not end.
    held_up: Mutex<bool>,
}

/// Subject, number and the how-manieth call at all.
type Reaction = Box<dyn FnMut(&str, usize, usize) -> Result<(), HandleError> + Send>;

#[async_trait]
impl Handler for Recorder {
    async fn handle(&self, _component: &str, event: Bytes) -> Result<(), HandleError> {
        let event: serde_json::Value = serde_json::from_slice(&event).unwrap();
        let subject = event["subject"].as_str().unwrap().to_owned();
        let number: usize = event["id"].as_str().unwrap().parse().unwrap();
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(running, Ordering::SeqCst);
        while *self.held_up.lock() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        if let Some(reaction) = &mut *self.reaction.lock() {
            reaction(&subject, number, call)?;
        }
        self.handled.lock().entry(subject).or_default().push(number);
        Ok(())
    }
}

impl Recorder {
    fn reacting(
        reaction: impl FnMut(&str, usize, usize) -> Result<(), HandleError> + Send + 'static,
    ) -> Arc<Self> {
        let recorder = Self::default();
        *recorder.reaction.lock() = Some(Box::new(reaction));
        Arc::new(recorder)
    }

    fn count(&self) -> usize {
        self.handled.lock().values().map(Vec::len).sum()
    }

    fn of(&self, subject: &str) -> Vec<usize> {
        self.handled
            .lock()
            .get(subject)
            .cloned()
            .unwrap_or_default()
    }

    fn failing() -> Result<(), HandleError> {
        Err(HandleError::Failed("on purpose".to_owned()))
    }
}

fn subscription(component: &str) -> Subscription {
    Subscription {
        component: component.to_owned(),
        streams: vec![STREAM.to_owned()],
        audience: Audience::Shared,
        attempts: 3,
        concurrency: 4,
        backoff: Backoff::new(Duration::from_millis(2), Duration::from_millis(20)),
    }
}

fn start(log: &Arc<dyn EventLog>, handler: &Arc<Recorder>, host: &str) -> Deliveries {
    start_with(log, handler, host, subscription("message"))
}

fn start_with(
    log: &Arc<dyn EventLog>,
    handler: &Arc<Recorder>,
    host: &str,
    subscription: Subscription,
) -> Deliveries {
    Deliveries::start(
        log.clone(),
        handler.clone(),
        host,
        vec![subscription],
        IMPATIENT,
    )
}

/// Waits until the value is as expected, and says what it was last if it never is.
async fn eventually<T: PartialEq + std::fmt::Debug>(
    mut value: impl AsyncFnMut() -> T,
    expected: T,
) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let last = value().await;
        if last == expected {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "still {last:?}, not {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn publish(log: &Arc<dyn EventLog>, subject: &str, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        log.append(STREAM, &event(subject, number)).await.unwrap();
    }
}

/// Neither pending nor to come, for the group on all its streams.
async fn quiet(log: &Arc<dyn EventLog>, group: &str) {
    let open = async || {
        let states = log.groups(STREAM).await.unwrap();
        let state = states.into_iter().find(|state| state.group == group);
        state.map(|state| state.pending + state.lag)
    };
    eventually(open, Some(0)).await;
}

async fn letters(log: &Arc<dyn EventLog>) -> Vec<dead_letters::DeadLetter> {
    dead_letters::list(&**log, None, 1000).await.unwrap()
}

async fn every_event_is_handled_once_and_in_order(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    publish(&fixture.log, "a", 1..=50).await;
    let deliveries = start(&fixture.log, &handler, "host");
    for number in 1..=150 {
        publish(&fixture.log, "b", [number]).await;
        publish(&fixture.log, "a", [number + 50]).await;
    }
    eventually(async || handler.count(), 350).await;
    quiet(&fixture.log, "message").await;
    assert_eq!(handler.of("a"), (1..=200).collect::<Vec<_>>());
    assert_eq!(handler.of("b"), (1..=150).collect::<Vec<_>>());
    deliveries.stop().await;
}

async fn subjects_are_handled_at_the_same_time_up_to_the_limit(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    *handler.held_up.lock() = true;
    for subject in ["a", "b", "c", "d", "e", "f"] {
        publish(&fixture.log, subject, 1..=2).await;
    }
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.running.load(Ordering::SeqCst), 4).await;
    *handler.held_up.lock() = false;
    eventually(async || handler.count(), 12).await;
    assert_eq!(handler.most_at_once.load(Ordering::SeqCst), 4);
    deliveries.stop().await;
}

async fn a_failing_event_is_tried_again_and_holds_back_only_its_subject(fixture: Fixture) {
    let mut failures = 0;
    let handler = Recorder::reacting(move |subject, number, _| {
        if subject == "a" && number == 1 && failures < 2 {
            failures += 1;
            return Recorder::failing();
        }
        Ok(())
    });
    publish(&fixture.log, "a", 1..=3).await;
    publish(&fixture.log, "b", 1..=3).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.count(), 6).await;
    assert_eq!(handler.of("a"), [1, 2, 3]);
    assert_eq!(handler.of("b"), [1, 2, 3]);
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn an_event_that_keeps_failing_is_parked_and_the_next_one_goes_on(fixture: Fixture) {
    let handler = Recorder::reacting(|_, number, _| match number {
        2 => Recorder::failing(),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=3).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![1, 3]).await;
    quiet(&fixture.log, "message").await;
    let letters = letters(&fixture.log).await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].attempts, &*letters[0].error), (3, "on purpose"));
    assert_eq!(handler.calls.load(Ordering::SeqCst), 5);
    deliveries.stop().await;
}

async fn a_long_failing_subject_does_not_starve_the_others(fixture: Fixture) {
    let handler = Recorder::reacting(|subject, _, _| match subject {
        "stuck" => Recorder::failing(),
        _ => Ok(()),
    });
    publish(&fixture.log, "stuck", 1..=1000).await;
    publish(&fixture.log, "fine", 1..=100).await;
    let slow = Subscription {
        attempts: 1000,
        backoff: Backoff::new(Duration::from_secs(60), Duration::from_secs(60)),
        ..subscription("message")
    };
    let deliveries = start_with(&fixture.log, &handler, "host", slow);
    eventually(async || handler.of("fine").len(), 100).await;
    publish(&fixture.log, "fine", 101..=200).await;
    eventually(async || handler.of("fine"), (1..=200).collect()).await;
    deliveries.stop().await;
}

async fn many_failing_subjects_do_not_starve_the_others(fixture: Fixture) {
    let handler = Recorder::reacting(|subject, _, _| match subject {
        "fine" => Ok(()),
        _ => Recorder::failing(),
    });
    for stuck in 0..50 {
        publish(&fixture.log, &format!("stuck/{stuck}"), 1..=20).await;
    }
    publish(&fixture.log, "fine", 1..=100).await;
    let slow = Subscription {
        attempts: 1000,
        backoff: Backoff::new(Duration::from_secs(60), Duration::from_secs(60)),
        ..subscription("message")
    };
    let deliveries = start_with(&fixture.log, &handler, "host", slow);
    eventually(async || handler.of("fine"), (1..=100).collect()).await;
    deliveries.stop().await;
}

async fn a_refused_event_is_never_parked(fixture: Fixture) {
    let handler = Recorder::reacting(|_, _, call| match call {
        0..20 => Err(HandleError::Refused("overloaded".to_owned())),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=2).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![1, 2]).await;
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn a_panic_of_the_handler_is_a_failure(fixture: Fixture) {
    let handler = Recorder::reacting(|_, number, _| match number {
        1 => panic!("on purpose"),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=2).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![2]).await;
    let letters = letters(&fixture.log).await;
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].error.contains("panicked"),
        "{}",
        letters[0].error
    );
    deliveries.stop().await;
}

async fn an_entry_without_an_event_is_parked_at_once(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    let odd = vec![("something".to_owned(), Bytes::from_static(b"else"))];
    fixture.log.append(STREAM, &odd).await.unwrap();
    publish(&fixture.log, "", 1..=1).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of(""), vec![1]).await;
    assert_eq!(letters(&fixture.log).await.len(), 1);
    deliveries.stop().await;
}

async fn a_stop_finishes_what_runs_and_takes_nothing_more(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    *handler.held_up.lock() = true;
    publish(&fixture.log, "a", 1..=3).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.running.load(Ordering::SeqCst), 1).await;
    let stopping = tokio::spawn(deliveries.stop());
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!stopping.is_finished());
    *handler.held_up.lock() = false;
    stopping.await.unwrap();
    assert_eq!(handler.of("a"), [1]);
    // What was finished is acknowledged, the rest is somebody else's at once.
    let deliveries = start(&fixture.log, &handler, "other");
    eventually(async || handler.of("a"), vec![1, 2, 3]).await;
    deliveries.stop().await;
}

async fn a_host_that_died_is_followed_by_itself(fixture: Fixture) {
    let dying = Arc::new(Recorder::default());
    *dying.held_up.lock() = true;
    publish(&fixture.log, "a", 1..=20).await;
    let deliveries = start(&fixture.log, &dying, "host");
    eventually(async || dying.running.load(Ordering::SeqCst), 1).await;
    drop(deliveries);
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), (1..=20).collect()).await;
    deliveries.stop().await;
}

async fn a_host_that_died_is_followed_by_another(fixture: Fixture) {
    let dying = Arc::new(Recorder::default());
    *dying.held_up.lock() = true;
    publish(&fixture.log, "a", 1..=20).await;
    let deliveries = start(&fixture.log, &dying, "dying");
    eventually(async || dying.running.load(Ordering::SeqCst), 1).await;
    let handler = Arc::new(Recorder::default());
    let heir = start(&fixture.log, &handler, "heir");
    publish(&fixture.log, "b", 1..=20).await;
    drop(deliveries);
    eventually(async || handler.of("a"), (1..=20).collect()).await;
    eventually(async || handler.of("b"), (1..=20).collect()).await;
    quiet(&fixture.log, "message").await;
    heir.stop().await;
}

async fn two_hosts_share_the_events_and_keep_their_order(fixture: Fixture) {
    let handlers = [Arc::new(Recorder::default()), Arc::new(Recorder::default())];
    // One memory for both, so that an order across hosts can be seen.
    let both = Arc::new(Mutex::new(BTreeMap::<String, Vec<usize>>::new()));
    let mut hosts = Vec::new();
    for (host, handler) in ["one", "two"].iter().zip(&handlers) {
        let both = both.clone();
        *handler.reaction.lock() = Some(Box::new(move |subject, number, _| {
            both.lock()
                .entry(subject.to_owned())
                .or_default()
                .push(number);
            Ok(())
        }));
        hosts.push(start(&fixture.log, handler, host));
    }
    for number in 1..=100 {
        for subject in ["a", "b", "c", "d", "e"] {
            publish(&fixture.log, subject, [number]).await;
        }
    }
    eventually(async || handlers[0].count() + handlers[1].count(), 500).await;
    for (subject, numbers) in both.lock().iter() {
        assert_eq!(numbers, &(1..=100).collect::<Vec<_>>(), "{subject}");
    }
    for host in hosts {
        host.stop().await;
    }
}

async fn each_host_gets_every_event_if_it_asks_for_that(fixture: Fixture) {
    let handlers = [Arc::new(Recorder::default()), Arc::new(Recorder::default())];
    publish(&fixture.log, "a", 1..=10).await;
    let mut hosts = Vec::new();
    for (host, handler) in ["one", "two"].iter().zip(&handlers) {
        let subscription = Subscription {
            audience: Audience::EachHost,
            ..subscription("viewpage")
        };
        hosts.push(start_with(&fixture.log, handler, host, subscription));
    }
    for handler in &handlers {
        eventually(async || handler.of("a"), (1..=10).collect()).await;
    }
    quiet(&fixture.log, "viewpage@two").await;
    for host in hosts {
        host.stop().await;
    }
}

async fn a_redriven_letter_is_handled(fixture: Fixture) {
    let handler = Recorder::reacting(|_, _, call| match call {
        0..3 => Recorder::failing(),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=1).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || letters(&fixture.log).await.len(), 1).await;
    let id = letters(&fixture.log).await[0].id.parse().unwrap();
    assert!(dead_letters::redrive(&*fixture.log, id).await.unwrap());
    eventually(async || handler.of("a"), vec![1]).await;
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn an_outage_of_the_log_loses_and_parks_nothing(fixture: Fixture) {
    let flaky = Arc::new(Flaky {
        log: fixture.log.clone(),
        calls: AtomicUsize::new(0),
        away: AtomicBool::new(false),
    });
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
    let log: Arc<dyn EventLog> = Arc::new(RedisLog::new(server.remote()));
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&log, &handler, "host");
    publish(&log, "a", 1..=50).await;
    publish(&log, "b", 1..=50).await;
    server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.revive().await;
    // The server answers to somebody else already; our connection learns it a moment later.
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

/// Commands that nobody waits for any more still reach the server when it thaws.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_longer_than_we_wait_loses_nothing() {
    let server = RedisServer::start().await;
    let log: Arc<dyn EventLog> = Arc::new(RedisLog::new(server.remote()));
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&log, &handler, "host");
    publish(&log, "a", 1..=500).await;
    server.freeze();
    tokio::time::sleep(crate::remote::RESPOND + Duration::from_secs(1)).await;
    server.thaw();
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
    let log: Arc<dyn EventLog> = Arc::new(RedisLog::new(server.remote()));
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&log, &handler, "host");
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.revive().await;
    eventually(
        async || log.append(STREAM, &event("a", 1)).await.is_ok(),
        true,
    )
    .await;
    eventually(async || handler.of("a"), vec![1]).await;
    deliveries.stop().await;
}

/// A log that is away at times, and that otherwise loses every fifth answer: what was asked is
/// done, and the caller does not learn it.
struct Flaky {
    log: Arc<dyn EventLog>,
    calls: AtomicUsize,
    away: AtomicBool,
}

impl Flaky {
    fn reach(&self) -> Result<(), LogError> {
        if self.away.load(Ordering::SeqCst) {
            Err(lost())
        } else {
            Ok(())
        }
    }

    fn answer<T>(&self, answer: Result<T, LogError>) -> Result<T, LogError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) % 5 == 4 {
            return Err(lost());
        }
        answer
    }
}

fn lost() -> LogError {
    rusqlite::Error::InvalidQuery.into()
}

macro_rules! flaky {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl EventLog for Flaky {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, LogError> {
                self.reach()?;
                let answer = self.log.$name($($argument),*).await;
                self.answer(answer)
            })*
        }
    };
}

flaky! {
    append(stream: &str, fields: &Fields) -> EntryId;
    range(stream: &str, from: EntryId, to: EntryId, limit: usize) -> Vec<Entry>;
    length(stream: &str) -> u64;
    remove(stream: &str, id: EntryId) -> bool;
    subscribe(reader: &Reader) -> ();
    take(reader: &Reader, limit: usize, wait: Duration) -> Vec<Delivery>;
    acknowledge(group: &str, positions: &[Position]) -> ();
    fail(group: &str, position: &Position, error: &str, retry_in: Duration) -> Option<u32>;
    park(group: &str, position: &Position, error: &str, attempts: u32) -> Option<EntryId>;
    attend(reader: &Reader, patience: Duration) -> usize;
    leave(reader: &Reader) -> ();
    forget(group: &str, streams: &[Arc<str>]) -> ();
    groups(stream: &str) -> Vec<GroupState>;
    trim(stream: &str, keep: Duration) -> u64;
    redrive(letter: EntryId) -> bool;
}
