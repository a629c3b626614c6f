//! Clocks that were turned back since a time was recorded, or that belong to another server after a failover.

use super::*;
use crate::delivery::Audience;
use crate::entry::now;
use crate::retention::{Retention, Sightings, StreamReader};
use storage::database::Database;

const SHORT_TIMEOUT: Duration = Duration::from_millis(100);

/// How far the earlier clock was ahead, in milliseconds.
const HOUR: u64 = 3_600_000;

/// The clock of the server was an hour ahead until a moment ago.
impl RedisFixture {
    /// The time of the earlier clock, in milliseconds since 1970.
    async fn earlier_clock(&self) -> u64 {
        let (seconds, _): (u64, u64) = self.query(&["TIME"]).await;
        seconds * 1000 + HOUR
    }

    /// The latest heartbeat of the consumer was by the earlier clock.
    async fn seen_before(&self, consumer: &Consumer) {
        let consumers = format!("socar.log:{}:consumers", consumer.group);
        let time = self.earlier_clock().await.to_string();
        let changed: u64 = self
            .query(&["ZADD", &consumers, "XX", "CH", &time, &consumer.name])
            .await;
        assert_eq!(changed, 1);
        let alive = format!("socar.log:alive:{}", consumer.name);
        self.query::<u64>(&["PEXPIRE", &alive, &HOUR.to_string()])
            .await;
    }

    async fn heartbeat(&self, consumer: &Consumer) -> usize {
        let log = &self.fixture.log;
        log.heartbeat(consumer, SHORT_TIMEOUT).await.unwrap()
    }

    /// The number of entries that the successor takes over within twice the timeout.
    async fn taken_over_by(&self, successor: &Consumer) -> usize {
        assert_eq!(self.heartbeat(successor).await, 0, "it may be alive");
        tokio::time::sleep(SHORT_TIMEOUT * 3 / 2).await;
        self.heartbeat(successor).await
    }
}

#[tokio::test]
async fn a_consumer_that_was_killed_under_an_earlier_clock_is_taken_over() {
    let turned = RedisFixture::start().await;
    let killed = turned.fixture.subscribed("message", "killed").await;
    let successor = turned.fixture.subscribed("message", "successor").await;
    turned.fixture.publish(&["a"]).await;
    turned.fixture.claim(&killed).await;
    turned.seen_before(&killed).await;
    assert_eq!(turned.taken_over_by(&successor).await, 1);
}

/// Its heartbeat is a key that expires.
#[tokio::test]
async fn a_sole_consumer_that_was_killed_under_an_earlier_clock_is_taken_over() {
    let turned = RedisFixture::start().await;
    let killed = turned.fixture.subscribed("message", "killed").await;
    turned.heartbeat(&killed).await;
    turned.fixture.publish(&["a", "b"]).await;
    let log = &turned.fixture.log;
    let claimed = log.claim(&killed, 10, LONG_TIMEOUT).await.unwrap();
    assert!(!claimed.is_empty());
    turned.seen_before(&killed).await;
    let successor = turned.fixture.subscribed("message", "successor").await;
    assert_eq!(turned.taken_over_by(&successor).await, claimed.len());
    let mut handled = turned.fixture.claim(&successor).await;
    handled.extend(turned.fixture.claim(&successor).await);
    assert_eq!(numbers(&handled), [1, 2]);
}

/// All consumers have times of the earlier clock until their next heartbeats.
#[tokio::test]
async fn living_consumers_keep_their_entries_when_the_clock_is_turned_back() {
    let turned = RedisFixture::start().await;
    let log = &turned.fixture.log;
    let sole = turned.fixture.subscribed("message", "sole").await;
    log.heartbeat(&sole, LONG_TIMEOUT).await.unwrap();
    let joined = turned.fixture.subscribed("message", "joined").await;
    turned.fixture.publish(&["a", "b"]).await;
    for _ in 0..3 {
        for consumer in [&sole, &joined] {
            turned.seen_before(consumer).await;
        }
        for consumer in [&joined, &sole] {
            let taken_over = log.heartbeat(consumer, LONG_TIMEOUT).await.unwrap();
            assert_eq!(taken_over, 0);
            let claimed = log.claim(consumer, 10, Duration::from_millis(1)).await;
            claimed.unwrap();
        }
    }
}

/// Its group would keep the events from the retention for as long as the clock was ahead.
#[tokio::test]
async fn the_silence_of_a_host_does_not_wait_for_an_earlier_clock() {
    let turned = RedisFixture::start().await;
    let gone = turned.fixture.subscribed("viewpage@gone", "gone").await;
    let ages = async || {
        let state = turned.fixture.state("viewpage@gone").await;
        (state.silence.unwrap(), state.unread.unwrap())
    };
    let time = turned.earlier_clock().await.to_string();
    let read = "socar.log:viewpage@gone:read";
    let left = format!("-{time}");
    let consumers = "socar.log:viewpage@gone:consumers";
    for seen in [&time, &left] {
        turned.query::<u64>(&["HSET", read, STREAM, &time]).await;
        turned
            .query::<u64>(&["ZADD", consumers, seen, "gone"])
            .await;
        ages().await;
        tokio::time::sleep(SHORT_TIMEOUT).await;
        let (silence, unread) = ages().await;
        assert!(silence >= SHORT_TIMEOUT, "{silence:?}");
        assert!(unread >= SHORT_TIMEOUT, "{unread:?}");
    }
    // As a sole consumer.
    turned.heartbeat(&gone).await;
    turned.seen_before(&gone).await;
    ages().await;
    let left: u64 = turned.query(&["PTTL", "socar.log:alive:gone"]).await;
    assert!(left <= 60_000, "{left} ms");
}

/// As after a start of the host under the earlier clock.
#[tokio::test]
async fn the_silence_of_an_embedded_group_does_not_wait_for_an_earlier_clock() {
    for sign in [1, -1] {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("socar.db")).unwrap();
        let log = EmbeddedLog::open(database.clone()).unwrap();
        let gone = consumer("viewpage@gone", "gone");
        log.subscribe(&gone).await.unwrap();
        drop(log);
        for statement in [
            "UPDATE socar_log_session SET seen = ?1 * (seen + 3600000)",
            "UPDATE socar_log_read SET seen = abs(?1 * (seen + 3600000))",
        ] {
            let changed = database.write(|it| it.execute(statement, [sign])).unwrap();
            assert!(changed > 0);
        }
        let log = EmbeddedLog::open(database).unwrap();
        log.groups(STREAM).await.unwrap();
        tokio::time::sleep(SHORT_TIMEOUT).await;
        let state = log.groups(STREAM).await.unwrap().remove(0);
        let (silence, unread) = (state.silence.unwrap(), state.unread.unwrap());
        assert!(silence >= SHORT_TIMEOUT, "{silence:?}");
        assert!(unread >= SHORT_TIMEOUT, "{unread:?}");
    }
}

/// The first entry of the stream is of the earlier clock, and so the ids of all later ones are.
async fn redis_with_an_entry_of_the_future() -> Fixture {
    let turned = RedisFixture::start().await;
    let id = format!("{}-0", turned.earlier_clock().await);
    let (_, event) = event("a", 1).remove(0);
    let event = std::str::from_utf8(&event).unwrap();
    turned
        .query::<String>(&["XADD", STREAM, &id, EVENT_FIELD, event])
        .await;
    turned.fixture
}

/// As [`redis_with_an_entry_of_the_future`].
async fn embedded_with_an_entry_of_the_future() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("socar.db")).unwrap();
    let log = EmbeddedLog::open(database.clone()).unwrap();
    log.append(STREAM, &event("a", 1)).await.unwrap();
    drop(log);
    let later = "UPDATE socar_log_entry SET id = id + (3600000 << 20)";
    assert_eq!(database.write(|it| it.execute(later, [])).unwrap(), 1);
    let log = Arc::new(EmbeddedLog::open(database).unwrap());
    Fixture::of(log, Box::new(folder))
}

fn readers() -> std::collections::BTreeSet<StreamReader> {
    let reader = |component: &str, audience| StreamReader {
        stream: STREAM.to_owned(),
        component: component.to_owned(),
        audience,
    };
    [
        reader("message", Audience::Shared),
        reader("viewpage", Audience::EachHost),
    ]
    .into()
}

async fn entries_of_the_future_are_removed_by_the_time_since_they_were_seen(fixture: Fixture) {
    const AGE: Duration = Duration::from_millis(200);
    let consumer = fixture.subscribed("message", "host").await;
    let handle = async || {
        let claimed = fixture.claim(&consumer).await;
        fixture.acknowledge(&consumer, &claimed).await;
    };
    let ids = fixture.publish(&["b", "c"]).await;
    assert!(ids[0].milliseconds > now() + HOUR / 2, "{}", ids[0]);
    let retention = Retention {
        min_age: Some(AGE),
        ..Retention::new(None, readers())
    };
    let mut sightings = Sightings::default();
    let mut pass = async || {
        let removed = retention.enforce(&*fixture.log, &mut sightings).await;
        removed.unwrap()
    };
    let newest = async || {
        let newest = fixture.log.newest_ids(STREAM, EntryId::MAX, 1).await;
        newest.unwrap()
    };
    assert_eq!(pass().await, 0, "seen for the first time");
    handle().await;
    let last = fixture.publish(&["d"]).await;
    handle().await;
    tokio::time::sleep(AGE).await;
    assert_eq!(pass().await, 3, "the last entry was not seen yet");
    assert_eq!(newest().await, [last[0]]);
    tokio::time::sleep(AGE).await;
    assert_eq!(pass().await, 1);
    assert_eq!(newest().await, []);
}

async fn old_entries_stay_until_they_are_acknowledged(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let ids = fixture.publish(&["b", "c"]).await;
    let trim = async |old| fixture.log.trim(STREAM, LONG_TIMEOUT, old).await.unwrap();
    assert_eq!(trim(Some(EntryId::MAX)).await, 0, "nothing is claimed");
    let claimed = fixture.claim(&consumer).await;
    assert_eq!(trim(Some(EntryId::MAX)).await, 0, "everything is pending");
    fixture.acknowledge(&consumer, &claimed).await;
    assert_eq!(trim(None).await, 0, "nothing is old");
    assert_eq!(trim(Some(ids[0])).await, 2);
    // A retention may be longer than the time since 1970.
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    let removed = fixture.log.trim(STREAM, century, None).await;
    assert_eq!(removed.unwrap(), 0);
}

/// Each host looks silent until its next heartbeat.
async fn a_clock_that_jumps_forward_deletes_no_group(fixture: Fixture) {
    fixture.subscribed("viewpage@host", "host").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut retention = Retention {
        host_timeout: Duration::from_millis(10),
        ..Retention::new(None, readers())
    };
    let mut sightings = Sightings::default();
    let groups = async || fixture.log.groups(STREAM).await.unwrap().len();
    for _ in 0..2 {
        let pass = retention.enforce(&*fixture.log, &mut sightings).await;
        pass.unwrap();
        assert_eq!(groups().await, 1);
    }
    retention.confirmation = AT_ONCE;
    let pass = retention.enforce(&*fixture.log, &mut sightings).await;
    pass.unwrap();
    assert_eq!(groups().await, 0);
}

macro_rules! after_an_entry_of_the_future {
    ($($name:ident),* $(,)?) => {
        mod on_embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::embedded_with_an_entry_of_the_future().await).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::redis_with_an_entry_of_the_future().await).await;
            })*
        }
    };
}
after_an_entry_of_the_future!(
    entries_of_the_future_are_removed_by_the_time_since_they_were_seen,
    old_entries_stay_until_they_are_acknowledged,
    a_clock_that_jumps_forward_deletes_no_group,
);
