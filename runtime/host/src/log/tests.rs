//! One suite, run against each implementation.

use std::any::Any;

use super::*;
use crate::database::Database;
use crate::remote::tests::RedisServer;

const STREAM: &str = "socar.car";
const AT_ONCE: Duration = Duration::ZERO;
const PATIENCE: Duration = Duration::from_secs(60);

/// A log under test, and whatever must outlive it.
pub(crate) struct Fixture {
    pub log: Arc<dyn EventLog>,
    _alive: Box<dyn Any>,
}

pub(crate) fn embedded() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("socar.db")).unwrap();
    Fixture {
        log: Arc::new(EmbeddedLog::open(database).unwrap()),
        _alive: Box::new(folder),
    }
}

pub(crate) async fn redis() -> Fixture {
    let server = RedisServer::start().await;
    Fixture {
        log: Arc::new(RedisLog::new(server.remote())),
        _alive: Box::new(server),
    }
}

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
    ids_grow_and_ranges_are_inclusive,
    a_new_group_reads_from_the_beginning,
    groups_do_not_see_each_others_progress,
    what_is_not_acknowledged_is_taken_again_after_subscribing_anew,
    what_is_acknowledged_never_comes_back,
    an_append_wakes_a_waiting_reader,
    a_reader_waits_no_longer_than_it_said,
    consumers_share_the_work_but_never_a_lane,
    a_lane_is_handed_to_whoever_has_its_older_entries,
    an_entry_without_a_subject_is_in_the_lane_of_its_stream,
    a_dead_consumer_is_inherited_in_order,
    a_consumer_that_attends_is_not_inherited,
    a_consumer_that_left_is_inherited_at_once,
    an_evicted_consumer_learns_it,
    an_earlier_session_takes_nothing_any_more,
    attempts_and_errors_outlive_the_consumer,
    a_parked_entry_is_a_dead_letter_and_done_with,
    a_redriven_letter_reaches_its_group_only_and_only_once,
    a_redriven_letter_can_be_parked_again,
    a_discarded_letter_is_gone,
    two_redrives_at_once_are_one,
    trimming_stops_at_what_a_group_has_not_acknowledged,
    a_stream_without_groups_keeps_everything,
    a_stream_that_was_emptied_goes_on_with_higher_ids,
    a_removed_entry_is_done_with,
    a_forgotten_group_holds_nothing_back,
    progress_is_told_for_each_group,
    an_entry_without_an_event_is_delivered_as_such,
    many_entries_are_paged,
    nothing_is_lost_or_doubled_among_busy_consumers,
);

pub(crate) fn event(subject: &str, number: usize) -> Fields {
    let json = serde_json::json!({"id": number.to_string(), "subject": subject, "이름": "값"});
    vec![(EVENT.to_owned(), Bytes::from(json.to_string()))]
}

fn reader(group: &str, consumer: &str) -> Reader {
    Reader::new(group, consumer, &[STREAM])
}

fn number(delivery: &Delivery) -> usize {
    let event: serde_json::Value =
        serde_json::from_slice(delivery.event.as_ref().unwrap()).unwrap();
    event["id"].as_str().unwrap().parse().unwrap()
}

fn numbers(deliveries: &[Delivery]) -> Vec<usize> {
    deliveries.iter().map(number).collect()
}

impl Fixture {
    /// Appends events numbered from 1, one for each subject.
    async fn publish(&self, subjects: &[&str]) -> Vec<EntryId> {
        let mut ids = Vec::new();
        for (number, subject) in (1..).zip(subjects) {
            ids.push(
                self.log
                    .append(STREAM, &event(subject, number))
                    .await
                    .unwrap(),
            );
        }
        ids
    }

    async fn subscribed(&self, group: &str, consumer: &str) -> Reader {
        let reader = reader(group, consumer);
        self.log.subscribe(&reader).await.unwrap();
        reader
    }

    async fn take(&self, reader: &Reader) -> Vec<Delivery> {
        self.log.take(reader, 1000, AT_ONCE).await.unwrap()
    }

    async fn acknowledge(&self, reader: &Reader, deliveries: &[Delivery]) {
        let positions: Vec<_> = deliveries.iter().map(|d| d.position.clone()).collect();
        self.log
            .acknowledge(&reader.group, &positions)
            .await
            .unwrap();
    }

    async fn state(&self, group: &str) -> GroupState {
        let states = self.log.groups(STREAM).await.unwrap();
        states
            .into_iter()
            .find(|state| state.group == group)
            .unwrap()
    }

    async fn letters(&self) -> Vec<dead_letters::DeadLetter> {
        dead_letters::list(&*self.log, None, 100).await.unwrap()
    }

    async fn parked(&self, reader: &Reader, delivery: &Delivery, error: &str) -> EntryId {
        let parked = self
            .log
            .park(&reader.group, &delivery.position, error, 3)
            .await;
        parked.unwrap().unwrap()
    }
}

async fn ids_grow_and_ranges_are_inclusive(fixture: Fixture) {
    let log = &fixture.log;
    let ids = fixture.publish(&["a"; 5]).await;
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(log.length(STREAM).await.unwrap(), 5);
    assert_eq!(log.length("socar.none").await.unwrap(), 0);
    let found = |entries: Vec<Entry>| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
    let all = log
        .range(STREAM, EntryId::MIN, EntryId::MAX, 100)
        .await
        .unwrap();
    assert_eq!(all[0].fields, event("a", 1));
    assert_eq!(found(all), ids);
    assert_eq!(
        found(log.range(STREAM, ids[1], ids[3], 100).await.unwrap()),
        ids[1..4]
    );
    assert_eq!(
        found(log.range(STREAM, ids[1].next(), ids[4], 2).await.unwrap()),
        ids[2..4]
    );
    assert!(log.remove(STREAM, ids[2]).await.unwrap());
    assert!(!log.remove(STREAM, ids[2]).await.unwrap());
    assert_eq!(log.range(STREAM, ids[2], ids[2], 1).await.unwrap(), []);
}

async fn a_new_group_reads_from_the_beginning(fixture: Fixture) {
    fixture.publish(&["a", "b", "c"]).await;
    let reader = fixture.subscribed("message", "host").await;
    let taken = fixture.take(&reader).await;
    assert_eq!(numbers(&taken), [1, 2, 3]);
    assert_eq!(taken[0].attempts, 0);
    assert_eq!(taken[0].due_in, Duration::ZERO);
    assert_eq!(fixture.take(&reader).await, []);
}

async fn groups_do_not_see_each_others_progress(fixture: Fixture) {
    let message = fixture.subscribed("message", "host").await;
    let viewpage = fixture.subscribed("viewpage", "host").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.take(&message).await;
    fixture.acknowledge(&message, &taken).await;
    assert_eq!(numbers(&fixture.take(&viewpage).await), [1, 2]);
}

async fn what_is_not_acknowledged_is_taken_again_after_subscribing_anew(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b", "a"]).await;
    let taken = fixture.take(&reader).await;
    fixture.acknowledge(&reader, &taken[..1]).await;
    fixture.log.append(STREAM, &event("a", 4)).await.unwrap();
    fixture.log.subscribe(&reader).await.unwrap();
    let again = fixture.take(&reader).await;
    assert_eq!(numbers(&again), [2, 3, 4]);
    assert_eq!(again[0], taken[1]);
}

async fn what_is_acknowledged_never_comes_back(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.take(&reader).await;
    fixture.acknowledge(&reader, &taken).await;
    fixture.acknowledge(&reader, &taken).await;
    fixture.log.subscribe(&reader).await.unwrap();
    assert_eq!(fixture.take(&reader).await, []);
    let gone = fixture
        .log
        .fail("message", &taken[0].position, "late", AT_ONCE)
        .await;
    assert_eq!(gone.unwrap(), None);
    let gone = fixture
        .log
        .park("message", &taken[0].position, "late", 1)
        .await;
    assert_eq!(gone.unwrap(), None);
    assert_eq!(fixture.letters().await, []);
}

async fn an_append_wakes_a_waiting_reader(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let log = fixture.log.clone();
    let waiting = tokio::spawn(async move { log.take(&reader, 10, PATIENCE).await.unwrap() });
    // Appends until the reader is woken: it may not have begun to wait at the first.
    while !waiting.is_finished() {
        fixture.publish(&["a"]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(number(&waiting.await.unwrap()[0]), 1);
}

async fn a_reader_waits_no_longer_than_it_said(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let wait = Duration::from_millis(50);
    let began = std::time::Instant::now();
    assert_eq!(fixture.log.take(&reader, 10, wait).await.unwrap(), []);
    assert!(
        began.elapsed() >= wait && began.elapsed() < wait * 20,
        "{:?}",
        began.elapsed()
    );
}

async fn consumers_share_the_work_but_never_a_lane(fixture: Fixture) {
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture
        .publish(&["a", "b", "c", "d", "a", "c", "b", "d"])
        .await;
    let first = fixture.log.take(&one, 2, AT_ONCE).await.unwrap();
    assert_eq!(numbers(&first), [1, 2]);
    // Numbers 5 and 7 belong to lanes that the first consumer has.
    assert_eq!(numbers(&fixture.take(&two).await), [3, 4, 6, 8]);
    assert_eq!(numbers(&fixture.take(&one).await), [5, 7]);
    assert_eq!(fixture.take(&two).await, []);
}

async fn a_lane_is_handed_to_whoever_has_its_older_entries(fixture: Fixture) {
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture.publish(&["a"]).await;
    let first = fixture.take(&one).await;
    let log = fixture.log.clone();
    let waiting = {
        let one = one.clone();
        tokio::spawn(async move { log.take(&one, 10, PATIENCE).await.unwrap() })
    };
    fixture.log.append(STREAM, &event("a", 2)).await.unwrap();
    // Whoever looks first, the first consumer gets it, and is woken for it.
    assert_eq!(fixture.take(&two).await, []);
    let second = waiting.await.unwrap();
    assert_eq!(numbers(&second), [2]);
    fixture.acknowledge(&one, &first).await;
    fixture.log.append(STREAM, &event("a", 3)).await.unwrap();
    assert_eq!(fixture.take(&two).await, []);
    let third = fixture.take(&one).await;
    assert_eq!(numbers(&third), [3]);
    // Once nothing of the lane is pending, anybody may have it.
    fixture.acknowledge(&one, &second).await;
    fixture.acknowledge(&one, &third).await;
    fixture.log.append(STREAM, &event("a", 4)).await.unwrap();
    assert_eq!(numbers(&fixture.take(&two).await), [4]);
}

async fn an_entry_without_a_subject_is_in_the_lane_of_its_stream(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let events = [
        "{}",
        "no json",
        r#"{"subject":7}"#,
        r#"{"subject":"car/1","z":[{}]}"#,
        r#"{"subject":"\u00e9"}"#,
    ];
    for text in events {
        let fields = vec![(EVENT.to_owned(), Bytes::from(text))];
        fixture.log.append(STREAM, &fields).await.unwrap();
    }
    let lanes: Vec<_> = fixture
        .take(&reader)
        .await
        .into_iter()
        .map(|d| d.lane.to_string())
        .collect();
    assert_eq!(
        lanes,
        [
            "socar.car\n",
            "socar.car\n",
            "socar.car\n",
            "socar.car\ncar/1",
            "socar.car\né"
        ]
    );
}

async fn a_dead_consumer_is_inherited_in_order(fixture: Fixture) {
    let dead = fixture.subscribed("message", "dead").await;
    let heir = fixture.subscribed("message", "heir").await;
    fixture.publish(&["a", "b", "a", "a"]).await;
    let taken = fixture.take(&dead).await;
    fixture.acknowledge(&dead, &taken[..1]).await;
    assert_eq!(fixture.log.attend(&heir, PATIENCE).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    fixture.log.append(STREAM, &event("a", 5)).await.unwrap();
    assert_eq!(
        fixture
            .log
            .attend(&heir, Duration::from_millis(10))
            .await
            .unwrap(),
        3
    );
    // Even by small bites, what is new comes after what was inherited.
    let mut order = Vec::new();
    for _ in 0..4 {
        order.extend(numbers(&fixture.log.take(&heir, 1, AT_ONCE).await.unwrap()));
    }
    assert_eq!(order, [2, 3, 4, 5]);
    assert_eq!(fixture.state("message").await.pending, 4);
}

async fn a_consumer_that_attends_is_not_inherited(fixture: Fixture) {
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture.publish(&["a"]).await;
    fixture.take(&one).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    fixture.log.attend(&one, PATIENCE).await.unwrap();
    assert_eq!(
        fixture
            .log
            .attend(&two, Duration::from_millis(15))
            .await
            .unwrap(),
        0
    );
}

async fn a_consumer_that_left_is_inherited_at_once(fixture: Fixture) {
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture.publish(&["a"]).await;
    fixture.take(&one).await;
    fixture.log.leave(&one).await.unwrap();
    assert_eq!(fixture.log.attend(&two, PATIENCE).await.unwrap(), 1);
    assert_eq!(numbers(&fixture.take(&two).await), [1]);
}

async fn an_evicted_consumer_learns_it(fixture: Fixture) {
    let paused = fixture.subscribed("message", "paused").await;
    let heir = fixture.subscribed("message", "heir").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.take(&paused).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    fixture
        .log
        .attend(&heir, Duration::from_millis(10))
        .await
        .unwrap();
    fixture.log.append(STREAM, &event("c", 3)).await.unwrap();
    for evicted in [
        fixture.log.take(&paused, 10, AT_ONCE).await.err(),
        fixture.log.attend(&paused, PATIENCE).await.err(),
    ] {
        assert!(
            matches!(evicted, Some(LogError::Evicted { .. })),
            "{evicted:?}"
        );
    }
    // What it finishes late counts nevertheless.
    fixture.acknowledge(&paused, &taken[..1]).await;
    assert_eq!(numbers(&fixture.take(&heir).await), [2, 3]);
    fixture.log.subscribe(&paused).await.unwrap();
    assert_eq!(fixture.take(&paused).await, []);
}

/// A take whose caller gave up on it may reach a hung server late, after the caller has subscribed
/// anew. If it took entries then, nobody would ever know of them.
async fn an_earlier_session_takes_nothing_any_more(fixture: Fixture) {
    let earlier = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b"]).await;
    fixture.log.take(&earlier, 1, AT_ONCE).await.unwrap();
    let reader = earlier.renewed();
    fixture.log.subscribe(&reader).await.unwrap();
    let late = fixture.log.take(&earlier, 10, AT_ONCE).await;
    assert!(matches!(late, Err(LogError::Evicted { .. })), "{late:?}");
    assert_eq!(numbers(&fixture.take(&reader).await), [1, 2]);
}

async fn attempts_and_errors_outlive_the_consumer(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let position = &fixture.take(&reader).await[0].position;
    let fail = async |later| {
        fixture
            .log
            .fail("message", position, "refused", later)
            .await
            .unwrap()
    };
    assert_eq!(fail(AT_ONCE).await, Some(1));
    assert_eq!(fail(PATIENCE).await, Some(2));
    fixture.log.leave(&reader).await.unwrap();
    let heir = fixture.subscribed("message", "heir").await;
    fixture.log.attend(&heir, PATIENCE).await.unwrap();
    let again = &fixture.take(&heir).await[0];
    assert_eq!(again.attempts, 2);
    assert!(
        again.due_in > PATIENCE / 2 && again.due_in <= PATIENCE,
        "{:?}",
        again.due_in
    );
}

async fn a_parked_entry_is_a_dead_letter_and_done_with(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.take(&reader).await;
    let id = fixture.parked(&reader, &taken[0], "no: \"such\" car").await;
    let letters = fixture.letters().await;
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.id, id.to_string());
    assert_eq!(letter.parked_at, id.milliseconds);
    assert_eq!((&*letter.group, &*letter.stream), ("message", STREAM));
    assert_eq!(letter.entry, taken[0].position.id.to_string());
    assert_eq!((letter.attempts, &*letter.error), (3, "no: \"such\" car"));
    assert_eq!(letter.event.as_bytes(), taken[0].event.as_ref().unwrap());
    assert_eq!(
        dead_letters::show(&*fixture.log, id)
            .await
            .unwrap()
            .as_ref(),
        Some(letter)
    );
    fixture.log.subscribe(&reader).await.unwrap();
    assert_eq!(numbers(&fixture.take(&reader).await), [2]);
}

async fn a_redriven_letter_reaches_its_group_only_and_only_once(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let other = fixture.subscribed("viewpage", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.take(&reader).await;
    fixture.take(&other).await;
    let id = fixture.parked(&reader, &taken[0], "x").await;
    assert!(dead_letters::redrive(&*fixture.log, id).await.unwrap());
    assert!(!dead_letters::redrive(&*fixture.log, id).await.unwrap());
    assert_eq!(fixture.letters().await, []);
    assert_eq!(fixture.take(&other).await, []);
    let again = fixture.take(&reader).await;
    assert_eq!(again.len(), 1);
    assert_eq!(
        (&again[0].lane, &again[0].event),
        (&taken[0].lane, &taken[0].event)
    );
    assert_eq!(again[0].attempts, 0);
    fixture.acknowledge(&reader, &again).await;
    // Nobody else will read it: nothing of it remains.
    let left = fixture.log.length(&again[0].position.stream).await.unwrap();
    assert_eq!(left, 0);
}

async fn a_redriven_letter_can_be_parked_again(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.take(&reader).await;
    let mut delivery = taken[0].clone();
    for round in 0..3 {
        let id = fixture
            .parked(&reader, &delivery, &format!("round {round}"))
            .await;
        assert_eq!(fixture.letters().await.len(), 1);
        assert!(fixture.log.redrive(id).await.unwrap());
        delivery = fixture.take(&reader).await.remove(0);
        assert_eq!(
            (&delivery.lane, &delivery.event),
            (&taken[0].lane, &taken[0].event)
        );
    }
}

async fn a_discarded_letter_is_gone(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.take(&reader).await;
    let id = fixture.parked(&reader, &taken[0], "x").await;
    assert!(dead_letters::discard(&*fixture.log, id).await.unwrap());
    assert!(!dead_letters::discard(&*fixture.log, id).await.unwrap());
    assert!(!dead_letters::redrive(&*fixture.log, id).await.unwrap());
    assert_eq!(dead_letters::show(&*fixture.log, id).await.unwrap(), None);
}

async fn two_redrives_at_once_are_one(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.take(&reader).await;
    let id = fixture.parked(&reader, &taken[0], "x").await;
    let redrives: Vec<_> = (0..8)
        .map(|_| {
            let log = fixture.log.clone();
            tokio::spawn(async move { log.redrive(id).await.unwrap() })
        })
        .collect();
    let mut happened = 0;
    for redrive in redrives {
        happened += usize::from(redrive.await.unwrap());
    }
    assert_eq!(happened, 1);
    assert_eq!(fixture.take(&reader).await.len(), 1);
}

async fn trimming_stops_at_what_a_group_has_not_acknowledged(fixture: Fixture) {
    let quick = fixture.subscribed("quick", "host").await;
    let slow = fixture.subscribed("slow", "host").await;
    let ids = fixture.publish(&["a", "b", "c", "d"]).await;
    // Ids of one millisecond are not older than that millisecond.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let trim = async |keep| fixture.log.trim(STREAM, keep).await.unwrap();
    let taken = fixture.take(&quick).await;
    assert_eq!(trim(AT_ONCE).await, 0, "one group has taken nothing");
    fixture.acknowledge(&quick, &taken).await;
    let taken = fixture.log.take(&slow, 3, AT_ONCE).await.unwrap();
    assert_eq!(trim(AT_ONCE).await, 0, "the first entry is pending");
    fixture.acknowledge(&slow, &taken[..1]).await;
    assert_eq!(trim(PATIENCE).await, 0, "nothing is old enough");
    assert_eq!(trim(AT_ONCE).await, 1);
    fixture.acknowledge(&slow, &taken[2..]).await;
    assert_eq!(trim(AT_ONCE).await, 0, "the second entry is pending");
    fixture.acknowledge(&slow, &taken[1..]).await;
    assert_eq!(trim(AT_ONCE).await, 2, "the fourth was not taken");
    let left = fixture
        .log
        .range(STREAM, EntryId::MIN, EntryId::MAX, 10)
        .await
        .unwrap();
    assert_eq!(
        left.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        ids[3..]
    );
}

async fn a_stream_without_groups_keeps_everything(fixture: Fixture) {
    fixture.publish(&["a"]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE).await.unwrap(), 0);
    assert_eq!(fixture.log.trim("socar.none", AT_ONCE).await.unwrap(), 0);
}

async fn a_stream_that_was_emptied_goes_on_with_higher_ids(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let mut last = EntryId::MIN;
    for round in 1..=20 {
        let id = fixture
            .log
            .append(STREAM, &event("a", round))
            .await
            .unwrap();
        assert!(id > last);
        last = id;
        let taken = fixture.take(&reader).await;
        assert_eq!(numbers(&taken), [round]);
        fixture.acknowledge(&reader, &taken).await;
        fixture.log.remove(STREAM, id).await.unwrap();
    }
}

async fn a_removed_entry_is_done_with(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let ids = fixture.publish(&["a", "a"]).await;
    fixture.take(&reader).await;
    fixture.log.remove(STREAM, ids[0]).await.unwrap();
    fixture.log.subscribe(&reader).await.unwrap();
    assert_eq!(numbers(&fixture.take(&reader).await), [2]);
    assert_eq!(fixture.state("message").await.pending, 1);
}

async fn a_forgotten_group_holds_nothing_back(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let gone = fixture.subscribed("viewpage@gone", "gone").await;
    fixture.publish(&["a"]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let taken = fixture.take(&reader).await;
    fixture.take(&gone).await;
    fixture.acknowledge(&reader, &taken).await;
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE).await.unwrap(), 0);
    fixture
        .log
        .forget(&gone.group, gone.streams())
        .await
        .unwrap();
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE).await.unwrap(), 1);
    assert_eq!(fixture.log.groups(STREAM).await.unwrap().len(), 1);
    assert!(fixture.log.take(&gone, 1, AT_ONCE).await.is_err());
}

async fn progress_is_told_for_each_group(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.subscribed("viewpage", "host").await;
    fixture.publish(&["a", "b", "c"]).await;
    let taken = fixture.log.take(&reader, 2, AT_ONCE).await.unwrap();
    fixture.acknowledge(&reader, &taken[..1]).await;
    let state = fixture.state("message").await;
    assert_eq!((state.pending, state.lag), (1, 1));
    assert!(state.seen.is_some());
    let state = fixture.state("viewpage").await;
    assert_eq!((state.pending, state.lag), (0, 3));
    assert_eq!(fixture.log.groups("socar.none").await.unwrap(), []);
}

async fn an_entry_without_an_event_is_delivered_as_such(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    let fields = vec![("something".to_owned(), Bytes::from_static(b"else"))];
    fixture.log.append(STREAM, &fields).await.unwrap();
    let taken = fixture.take(&reader).await;
    assert_eq!(taken[0].event, None);
    let id = fixture.parked(&reader, &taken[0], "no event").await;
    assert_eq!(
        dead_letters::show(&*fixture.log, id)
            .await
            .unwrap()
            .unwrap()
            .event,
        ""
    );
}

async fn many_entries_are_paged(fixture: Fixture) {
    let reader = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"; 500]).await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.extend(numbers(
            &fixture.log.take(&reader, 100, AT_ONCE).await.unwrap(),
        ));
    }
    assert_eq!(all, (1..=500).collect::<Vec<_>>());
}

async fn nothing_is_lost_or_doubled_among_busy_consumers(fixture: Fixture) {
    const EVENTS: usize = 600;
    let subjects = ["a", "b", "c", "d", "e"];
    let (done, mut handled) = tokio::sync::mpsc::unbounded_channel();
    let mut consumers = Vec::new();
    for name in ["one", "two", "three"] {
        let reader = fixture.subscribed("message", name).await;
        let (log, done) = (fixture.log.clone(), done.clone());
        consumers.push(tokio::spawn(async move {
            loop {
                for delivery in log.take(&reader, 7, Duration::from_secs(1)).await.unwrap() {
                    if done
                        .send((delivery.lane.clone(), number(&delivery)))
                        .is_err()
                    {
                        return;
                    }
                    // The next consumer may have the lane from here on, and not earlier.
                    log.acknowledge("message", &[delivery.position])
                        .await
                        .unwrap();
                }
            }
        }));
    }
    drop(done);
    for number in 1..=EVENTS {
        let subject = subjects[number * 7 % subjects.len()];
        fixture
            .log
            .append(STREAM, &event(subject, number))
            .await
            .unwrap();
    }
    let mut lanes = std::collections::BTreeMap::<Arc<str>, Vec<usize>>::new();
    for _ in 0..EVENTS {
        let (lane, number) = tokio::time::timeout(PATIENCE, handled.recv())
            .await
            .unwrap()
            .unwrap();
        lanes.entry(lane).or_default().push(number);
    }
    assert!(handled.try_recv().is_err(), "an event came twice");
    assert_eq!(lanes.len(), subjects.len());
    for (lane, numbers) in lanes {
        assert_eq!(numbers.len(), EVENTS / subjects.len());
        assert!(numbers.is_sorted(), "{lane:?}: {numbers:?}");
    }
    for consumer in consumers {
        consumer.abort();
    }
}

#[tokio::test]
async fn a_redis_that_forgets_is_warned_of() {
    let server = RedisServer::start().await;
    let log = RedisLog::new(server.remote());
    assert_eq!(log.warnings().await.unwrap(), [""; 0]);
    let set = |name: &'static str, value: &'static str| {
        let remote = server.remote();
        async move {
            let mut command = ::redis::cmd("CONFIG");
            command.arg("SET").arg(name).arg(value);
            remote.query::<String>(&command).await.unwrap()
        }
    };
    set("appendonly", "no").await;
    set("maxmemory-policy", "allkeys-lru").await;
    assert_eq!(log.warnings().await.unwrap().len(), 2);
}
