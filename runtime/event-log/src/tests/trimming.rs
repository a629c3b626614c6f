//! What is kept, and what may go.

use super::*;
use crate::delivery::Audience;
use crate::retention::{Retention, Sightings, StreamReader};
use storage::redis_client::test_support::RedisServer;

on_both_logs!(
    trimming_stops_at_what_a_group_has_not_acknowledged,
    a_trim_leaves_a_mark,
    a_stream_without_groups_keeps_everything,
    a_forgotten_group_holds_nothing_back,
    a_retention_waits_for_hosts_until_they_are_gone_for_good,
    groups_without_a_future_go_without_a_retention,
    a_stream_that_a_living_group_reads_no_more_is_trimmed,
    a_group_that_another_application_uses_stays,
    a_group_of_another_audience_goes,
);

const OTHER_STREAM: &str = "socar.payment";

fn shared(stream: &str, component: &str) -> StreamReader {
    StreamReader {
        stream: stream.to_owned(),
        component: component.to_owned(),
        audience: Audience::Shared,
    }
}

async fn trimming_stops_at_what_a_group_has_not_acknowledged(fixture: Fixture) {
    let quick = fixture.subscribed("quick", "host").await;
    let slow = fixture.subscribed("slow", "host").await;
    let ids = fixture.publish(&["a", "b", "c", "d"]).await;
    // Ids of one millisecond are not older than that millisecond.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let trim = async |keep| fixture.log.trim(STREAM, keep, None).await.unwrap();
    let taken = fixture.claim(&quick).await;
    assert_eq!(trim(AT_ONCE).await, 0, "one group has taken nothing");
    fixture.acknowledge(&quick, &taken).await;
    let taken = fixture.log.claim(&slow, 3, AT_ONCE).await.unwrap();
    assert_eq!(trim(AT_ONCE).await, 0, "the first entry is pending");
    fixture.acknowledge(&slow, &taken[..1]).await;
    assert_eq!(trim(LONG_TIMEOUT).await, 0, "nothing is old enough");
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

async fn a_trim_leaves_a_mark(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let ids = fixture.publish(&["a", "b", "c"]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let trim = async |keep| fixture.log.trim(STREAM, keep, None).await.unwrap();
    let mark = async || fixture.log.trimmed_up_to(STREAM).await.unwrap();
    let claimed = fixture.claim(&consumer).await;
    assert_eq!((trim(AT_ONCE).await, mark().await), (0, None));
    fixture.acknowledge(&consumer, &claimed[..2]).await;
    assert_eq!((trim(LONG_TIMEOUT).await, mark().await), (0, None));
    assert_eq!((trim(AT_ONCE).await, mark().await), (2, Some(ids[1])));
    fixture.acknowledge(&consumer, &claimed[2..]).await;
    assert_eq!((trim(AT_ONCE).await, mark().await), (1, Some(ids[2])));
    assert_eq!((trim(AT_ONCE).await, mark().await), (0, Some(ids[2])));
    // The mark does not depend on groups or later entries.
    let streams = consumer.streams();
    fixture.log.delete_group("message", streams).await.unwrap();
    fixture.publish(&["d"]).await;
    assert_eq!(mark().await, Some(ids[2]));
    assert_eq!(
        fixture.log.trimmed_up_to("socar.payment").await.unwrap(),
        None
    );
}

async fn a_stream_without_groups_keeps_everything(fixture: Fixture) {
    fixture.publish(&["a"]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE, None).await.unwrap(), 0);
    assert_eq!(
        fixture.log.trim("socar.none", AT_ONCE, None).await.unwrap(),
        0
    );
}

async fn a_forgotten_group_holds_nothing_back(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let gone = fixture.subscribed("viewpage@gone", "gone").await;
    fixture.publish(&["a"]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let taken = fixture.claim(&consumer).await;
    fixture.claim(&gone).await;
    fixture.acknowledge(&consumer, &taken).await;
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE, None).await.unwrap(), 0);
    fixture
        .log
        .delete_group(&gone.group, gone.streams())
        .await
        .unwrap();
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE, None).await.unwrap(), 1);
    assert_eq!(fixture.log.groups(STREAM).await.unwrap().len(), 1);
    assert!(fixture.log.claim(&gone, 1, AT_ONCE).await.is_err());
}

async fn a_retention_waits_for_hosts_until_they_are_gone_for_good(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let gone = fixture.subscribed("viewpage@gone", "gone").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.claim(&consumer).await;
    fixture.acknowledge(&consumer, &taken).await;
    fixture.log.leave(&gone).await.unwrap();
    fixture.log.leave(&consumer).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let enforce = async |host_timeout| {
        let retention = Retention {
            min_age: Some(AT_ONCE),
            host_timeout,
            ..Retention::new(None, [shared(STREAM, "message")].into())
        };
        fixture.enforce(retention).await
    };
    assert_eq!(enforce(LONG_TIMEOUT).await, 0);
    assert_eq!(enforce(Duration::from_millis(10)).await, 2);
    let groups = fixture.log.groups(STREAM).await.unwrap();
    // The group of a component keeps its place.
    assert_eq!(
        groups.iter().map(|state| &*state.group).collect::<Vec<_>>(),
        ["message"]
    );
}

async fn groups_without_a_future_go_without_a_retention(fixture: Fixture) {
    for (group, host) in [
        ("message", "a"),
        ("removed", "a"),
        ("viewpage@gone", "gone"),
    ] {
        let consumer = fixture.subscribed(group, host).await;
        fixture.log.leave(&consumer).await.unwrap();
    }
    fixture.publish(&["a"]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let enforce = async |host_timeout, group_timeout| {
        let retention = Retention {
            host_timeout,
            group_timeout,
            ..Retention::new(None, [shared(STREAM, "message")].into())
        };
        assert_eq!(fixture.enforce(retention).await, 0);
        let groups = fixture.log.groups(STREAM).await.unwrap();
        let mut names: Vec<_> = groups.into_iter().map(|state| state.group).collect();
        names.sort();
        names
    };
    let short = Duration::from_millis(10);
    let all = ["message", "removed", "viewpage@gone"];
    assert_eq!(enforce(LONG_TIMEOUT, LONG_TIMEOUT).await, all);
    assert_eq!(enforce(short, LONG_TIMEOUT).await, all[..2]);
    assert_eq!(enforce(short, short).await, all[..1]);
    assert_eq!(fixture.log.length(STREAM).await.unwrap(), 1);
}

impl Fixture {
    /// Enforces a retention that needs no earlier pass, and returns the number of removed entries.
    async fn enforce(&self, mut retention: Retention) -> u64 {
        retention.confirmation = AT_ONCE;
        let mut sightings = Sightings::default();
        let removed = retention.enforce(&*self.log, &mut sightings).await;
        removed.unwrap()
    }

    /// Enforces a retention whose timeouts are over at once, and returns the number of removed entries.
    async fn enforce_at_once(&self, readers: &[StreamReader]) -> u64 {
        let retention = Retention {
            min_age: Some(AT_ONCE),
            host_timeout: Duration::from_millis(10),
            group_timeout: Duration::from_millis(10),
            ..Retention::new(None, readers.iter().cloned().collect())
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.enforce(retention).await
    }

    async fn group_names(&self, stream: &str) -> Vec<String> {
        let groups = self.log.groups(stream).await.unwrap();
        let mut names: Vec<_> = groups.into_iter().map(|state| state.group).collect();
        names.sort();
        names
    }
}

/// A later version of the application has fewer subscriptions, and its host has never been silent.
async fn a_stream_that_a_living_group_reads_no_more_is_trimmed(fixture: Fixture) {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let log = &fixture.log;
    let subscribe = async |group: &str, streams: &[&str]| {
        let consumer = Consumer::new(group, "host", streams);
        log.subscribe(&consumer).await.unwrap();
        log.heartbeat(&consumer, LONG_TIMEOUT).await.unwrap();
        consumer
    };
    for group in ["message", "viewpage@host"] {
        let consumer = subscribe(group, &[STREAM, OTHER_STREAM]).await;
        fixture.publish(&["a"]).await;
        // The second group leaves an entry pending.
        let claimed = fixture.claim(&consumer).await;
        let letter = fixture.parked(&consumer, &claimed[0], "x").await;
        assert!(log.redrive(letter).await.unwrap());
    }
    let car = subscribe("car", &[STREAM]).await;
    let claimed = fixture.claim(&car).await;
    fixture.acknowledge(&car, &claimed).await;
    let message = subscribe("message", &[OTHER_STREAM]).await;
    let view = subscribe("viewpage@host", &[OTHER_STREAM]).await;
    let readers = [
        shared(STREAM, "car"),
        shared(OTHER_STREAM, "message"),
        StreamReader {
            audience: Audience::EachHost,
            ..shared(OTHER_STREAM, "viewpage")
        },
    ];
    let mut retention = Retention::new(None, readers.into());
    retention.min_age = Some(AT_ONCE);
    // All groups have acknowledged the first entry.
    assert_eq!(fixture.enforce(retention.clone()).await, 1);
    tokio::time::sleep(TIMEOUT + Duration::from_millis(100)).await;
    for consumer in [&message, &view] {
        log.heartbeat(consumer, LONG_TIMEOUT).await.unwrap();
    }
    (retention.host_timeout, retention.group_timeout) = (TIMEOUT, TIMEOUT);
    assert_eq!(fixture.enforce(retention.clone()).await, 1);
    assert_eq!(fixture.group_names(STREAM).await, ["car"]);
    let names = fixture.group_names(OTHER_STREAM).await;
    assert_eq!(names, ["message", "viewpage@host"]);
    // The sessions go on, and so do the redriven letters.
    for consumer in [&message, &view] {
        log.heartbeat(consumer, LONG_TIMEOUT).await.unwrap();
        let redriven = fixture.claim(consumer).await;
        assert_eq!(redriven.len(), 1, "{redriven:#?}");
        fixture.acknowledge(consumer, &redriven).await;
        assert_eq!(fixture.claim(consumer).await, []);
    }
}

/// The manifest of this host does not name it, and its own host says that it reads the stream.
async fn a_group_that_another_application_uses_stays(fixture: Fixture) {
    let other = fixture.subscribed("audit", "elsewhere").await;
    fixture.publish(&["a"]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let began = std::time::Instant::now();
    fixture.log.heartbeat(&other, LONG_TIMEOUT).await.unwrap();
    let unread = fixture.state("audit").await.unread.unwrap();
    // The log counts whole milliseconds.
    assert!(unread <= began.elapsed() + Duration::from_millis(2));
    let readers = [shared(STREAM, "car")];
    let retention = Retention::new(None, readers.clone().into());
    fixture.enforce(retention).await;
    assert_eq!(fixture.group_names(STREAM).await, ["audit"]);
    fixture.log.leave(&other).await.unwrap();
    fixture.enforce_at_once(&readers).await;
    assert_eq!(fixture.group_names(STREAM).await, [""; 0]);
}

/// The component is still there, and every host has a group of its own now.
async fn a_group_of_another_audience_goes(fixture: Fixture) {
    let consumer = fixture.subscribed("viewpage", "host").await;
    fixture.log.leave(&consumer).await.unwrap();
    let mut reader = shared(STREAM, "viewpage");
    fixture.enforce_at_once(std::slice::from_ref(&reader)).await;
    assert_eq!(fixture.group_names(STREAM).await, ["viewpage"]);
    reader.audience = Audience::EachHost;
    fixture.enforce_at_once(&[reader]).await;
    assert_eq!(fixture.group_names(STREAM).await, [""; 0]);
}

/// The heartbeats of a sole consumer do not name its streams.
#[tokio::test]
async fn a_sole_consumer_confirms_that_it_reads_its_streams() {
    let server = RedisServer::start().await;
    let log = RedisLog::new(server.client());
    let consumer = consumer("message", "host");
    log.subscribe(&consumer).await.unwrap();
    log.heartbeat(&consumer, LONG_TIMEOUT).await.unwrap();
    let unread = async || log.groups(STREAM).await.unwrap()[0].unread.unwrap();
    let heartbeat = async || {
        log.claim(&consumer, 1, AT_ONCE).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        log.heartbeat(&consumer, LONG_TIMEOUT).await.unwrap();
        unread().await
    };
    assert!(heartbeat().await >= Duration::from_millis(500));
    tokio::time::pause();
    tokio::time::advance(READ_INTERVAL).await;
    tokio::time::resume();
    assert!(heartbeat().await < Duration::from_millis(500));
}

/// A sole consumer has a key that expires instead of heartbeats in the set of its group.
#[tokio::test]
async fn the_silence_of_a_sole_consumer_begins_with_its_end() {
    let server = RedisServer::start().await;
    let log = RedisLog::new(server.client());
    let consumer = consumer("viewpage@host", "host");
    log.subscribe(&consumer).await.unwrap();
    let mut last_look = std::time::Instant::now();
    log.heartbeat(&consumer, Duration::from_millis(200))
        .await
        .unwrap();
    let silence = loop {
        let look = std::time::Instant::now();
        let silence = log.groups(STREAM).await.unwrap()[0].silence.unwrap();
        if !silence.is_zero() {
            break silence;
        }
        last_look = look;
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // However late the test looks, the silence begins after the last look at which the consumer was alive. The server
    // counts whole milliseconds.
    let longest = last_look.elapsed() + Duration::from_millis(2);
    assert!(silence <= longest, "{silence:?} is longer than {longest:?}");
}

#[tokio::test]
async fn a_redis_that_forgets_is_warned_of() {
    let server = RedisServer::start().await;
    let log = RedisLog::new(server.client());
    assert_eq!(log.warnings().await.unwrap(), [""; 0]);
    let set = |name: &'static str, value: &'static str| {
        let client = server.client();
        async move {
            let mut command = ::redis::cmd("CONFIG");
            command.arg("SET").arg(name).arg(value);
            client.query::<String>(&command).await.unwrap()
        }
    };
    set("appendonly", "no").await;
    set("maxmemory-policy", "allkeys-lru").await;
    assert_eq!(log.warnings().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_outlives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || storage::database::Database::open(&folder.path().join("socar.db")).unwrap();
    let database = open();
    let log = Arc::new(EmbeddedLog::open(database.clone()).unwrap());
    let fixture = Fixture::of(log, Box::new(()));
    let consumer = fixture.subscribed("message", "host").await;
    let ids = fixture.publish(&["a"]).await;
    let claimed = fixture.claim(&consumer).await;
    fixture.acknowledge(&consumer, &claimed).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE, None).await.unwrap(), 1);
    drop(fixture);
    database.close().unwrap();
    let log = EmbeddedLog::open(open()).unwrap();
    assert_eq!(log.trimmed_up_to(STREAM).await.unwrap(), Some(ids[0]));
}

/// As by a host of an earlier version, or by an operator. Redis 6.2 does not count the entries that were added.
#[tokio::test]
async fn a_redis_knows_of_removals_without_a_mark() {
    let server = RedisServer::start().await;
    let log = RedisLog::new(server.client());
    let mut ids = Vec::new();
    for number in 1..=3 {
        ids.push(log.append(STREAM, &event("a", number)).await.unwrap());
    }
    assert_eq!(log.trimmed_up_to(STREAM).await.unwrap(), None);
    assert_eq!(log.trimmed_up_to("socar.none").await.unwrap(), None);
    let query = async |command: &[&str]| {
        let client = server.client();
        let mut query = ::redis::cmd(command[0]);
        query.arg(&command[1..]);
        client.query::<::redis::Value>(&query).await.unwrap()
    };
    let info = format!("{:?}", query(&["XINFO", "STREAM", STREAM]).await);
    if !info.contains("entries-added") {
        return;
    }
    query(&["XTRIM", STREAM, "MAXLEN", "2"]).await;
    let mark = log.trimmed_up_to(STREAM).await.unwrap().unwrap();
    assert!(ids[0] <= mark && mark < ids[1], "{mark}");
    query(&["XTRIM", STREAM, "MAXLEN", "0"]).await;
    assert_eq!(log.trimmed_up_to(STREAM).await.unwrap(), Some(ids[2]));
}

#[tokio::test]
async fn an_embedded_log_keeps_its_identity_and_another_has_another() {
    let folder = tempfile::tempdir().unwrap();
    let history = async |name: &str| {
        let database = storage::database::Database::open(&folder.path().join(name)).unwrap();
        EmbeddedLog::open(database)
            .unwrap()
            .history()
            .await
            .unwrap()
    };
    let first = history("socar.db").await;
    assert_eq!(history("socar.db").await, first);
    assert_ne!(history("other.db").await, first);
}

#[tokio::test]
async fn a_redis_that_loses_events_continues_as_another_history() {
    let server = RedisServer::start().await;
    let log = RedisLog::new(server.client());
    let consumer = consumer("viewpage@host", "host");
    log.subscribe(&consumer).await.unwrap();
    for number in 1..=2 {
        log.append(STREAM, &event("a", number)).await.unwrap();
    }
    let claimed = log.claim(&consumer, 10, AT_ONCE).await.unwrap();
    let first = log.history().await.unwrap();
    let consumer = consumer.with_new_session();
    log.subscribe(&consumer).await.unwrap();
    assert_eq!(log.history().await.unwrap(), first);
    // As after a restart from an older append-only file.
    log.remove(STREAM, claimed[1].position.id).await.unwrap();
    log.subscribe(&consumer.with_new_session()).await.unwrap();
    let second = log.history().await.unwrap();
    assert_ne!(second, first);
    let flush = server
        .client()
        .query::<String>(&::redis::cmd("FLUSHALL"))
        .await;
    flush.unwrap();
    assert_ne!(log.history().await.unwrap(), second);
}
