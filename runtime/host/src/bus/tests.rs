//! Tests of the platform's address as guests use it: the same results in both modes, where both support the command.

mod guard;
mod other_servers;

use std::any::Any;

use super::*;
use event_log::{EntryId, EventLog};
use guard::only_what_is_granted_can_be_used;
use storage::redis_client::test_support::RedisServer;

const ADDRESS: &str = "redis://127.0.0.1:6379";

struct Fixture {
    bus: Bus,
    _alive: Box<dyn Any>,
}

fn embedded() -> Fixture {
    let database = Database::in_memory().unwrap();
    let log = Arc::new(EmbeddedLog::open(database.clone()).unwrap());
    Fixture {
        bus: Bus::embedded(ADDRESS, log, database, Vec::new()).unwrap(),
        _alive: Box::new(()),
    }
}

async fn redis() -> Fixture {
    let server = RedisServer::start().await;
    Fixture {
        bus: Bus::redis(ADDRESS, server.client(), Vec::new()),
        _alive: Box::new(server),
    }
}

macro_rules! in_both_modes {
    ($($name:ident),* $(,)?) => {
        mod embedded_mode {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::embedded()).await;
            })*
        }
        mod redis_mode {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::redis().await).await;
            })*
        }
    };
}

in_both_modes!(
    strings_are_set_got_and_deleted,
    counters_are_incremented_and_decremented,
    sets_have_members,
    a_value_of_another_type_is_an_error,
    a_lock_is_taken_once_and_expires,
    a_stream_is_appended_to_and_read_back_flat,
    a_message_without_subscribers_is_not_an_error,
    wrong_arguments_are_errors,
    an_invalid_address_is_an_error,
    only_what_is_granted_can_be_used,
);

async fn open(fixture: &Fixture) -> BusConnection {
    open_at(&fixture.bus, ADDRESS).await.unwrap()
}

/// Opens a connection of a component that may use all keys and streams of these tests.
async fn open_at(bus: &Bus, address: &str) -> Result<BusConnection, BusError> {
    bus.open(
        address,
        &grants(
            &["stream", "none", "socar.car"],
            &["a", "b", "n", "set", "stream", "k", "lock"],
        ),
    )
    .await
}

/// The grants of a component with these keys in its manifest.
fn grants(streams: &[&str], keys: &[&str]) -> Arc<RedisGrants> {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"a\"\n[component.c]\nsource = \"c.wasm\"\n\
         [component.c.tool.socar]\npublishes = {streams:?}\nredis_keys = {keys:?}\n\
         [[trigger.http]]\nroute = \"/\"\ncomponent = \"c\"\n"
    );
    std::fs::write(folder.path().join("spin.toml"), manifest).unwrap();
    let app = config::manifest::App::load(folder.path(), &Default::default()).unwrap();
    Arc::new(app.component("c").unwrap().redis.clone())
}

async fn run(connection: &BusConnection, line: &str) -> Result<Vec<RedisReply>, BusError> {
    let mut words = line.split_whitespace().map(str::to_owned);
    let command = words.next().unwrap();
    connection
        .execute(&command, words.map(String::into_bytes).collect())
        .await
}

fn binary(text: &str) -> RedisReply {
    RedisReply::Binary(text.as_bytes().to_vec())
}

fn ok() -> Vec<RedisReply> {
    vec![RedisReply::Status("OK".to_owned())]
}

async fn strings_are_set_got_and_deleted(fixture: Fixture) {
    let connection = open(&fixture).await;
    assert_eq!(connection.get("a").await.unwrap(), None);
    connection.set("a", b"\0\xff".to_vec()).await.unwrap();
    assert_eq!(connection.get("a").await.unwrap().unwrap(), b"\0\xff");
    let keys = ["a", "b", "a"].map(str::to_owned);
    assert_eq!(
        run(&connection, "exists a b").await.unwrap(),
        [RedisReply::Int64(1)]
    );
    assert_eq!(connection.del(&keys).await.unwrap(), 1);
    assert_eq!(run(&connection, "GET a").await.unwrap(), [RedisReply::Nil]);
    assert_eq!(
        run(&connection, "PING").await.unwrap(),
        [RedisReply::Status("PONG".to_owned())]
    );
    assert_eq!(
        run(&connection, "ping hello").await.unwrap(),
        [binary("hello")]
    );
}

async fn counters_are_incremented_and_decremented(fixture: Fixture) {
    let connection = open(&fixture).await;
    assert_eq!(connection.incr("n").await.unwrap(), 1);
    assert_eq!(
        run(&connection, "INCRBY n 41").await.unwrap(),
        [RedisReply::Int64(42)]
    );
    assert_eq!(
        run(&connection, "DECRBY n 2").await.unwrap(),
        [RedisReply::Int64(40)]
    );
    assert_eq!(
        run(&connection, "DECR n").await.unwrap(),
        [RedisReply::Int64(39)]
    );
    assert_eq!(connection.get("n").await.unwrap().unwrap(), b"39");
    connection.set("n", b"many".to_vec()).await.unwrap();
    assert!(matches!(
        connection.incr("n").await,
        Err(BusError::Refused(_))
    ));
    connection
        .set("n", i64::MAX.to_string().into_bytes())
        .await
        .unwrap();
    assert!(matches!(
        connection.incr("n").await,
        Err(BusError::Refused(_))
    ));
}

async fn sets_have_members(fixture: Fixture) {
    let connection = open(&fixture).await;
    let members = ["x", "y", "x"].map(str::to_owned);
    assert_eq!(connection.smembers("set").await.unwrap(), [""; 0]);
    assert_eq!(connection.sadd("set", &members).await.unwrap(), 2);
    assert_eq!(connection.sadd("set", &members[..1]).await.unwrap(), 0);
    let mut found = connection.smembers("set").await.unwrap();
    found.sort();
    assert_eq!(found, ["x", "y"]);
    assert_eq!(connection.srem("set", &members[..1]).await.unwrap(), 1);
    assert_eq!(connection.srem("set", &members[1..2]).await.unwrap(), 1);
    assert_eq!(
        run(&connection, "EXISTS set").await.unwrap(),
        [RedisReply::Int64(0)]
    );
}

async fn a_value_of_another_type_is_an_error(fixture: Fixture) {
    let connection = open(&fixture).await;
    connection.sadd("set", &["x".to_owned()]).await.unwrap();
    connection.set("k", b"v".to_vec()).await.unwrap();
    assert!(matches!(connection.get("set").await, Err(BusError::Type)));
    assert!(matches!(connection.incr("set").await, Err(BusError::Type)));
    assert!(matches!(
        connection.smembers("k").await,
        Err(BusError::Type)
    ));
    assert!(matches!(
        connection.sadd("k", &["x".to_owned()]).await,
        Err(BusError::Type)
    ));
    // `SET` replaces a value of any type.
    connection.set("set", b"v".to_vec()).await.unwrap();
    assert_eq!(connection.get("set").await.unwrap().unwrap(), b"v");
}

async fn a_lock_is_taken_once_and_expires(fixture: Fixture) {
    let connection = open(&fixture).await;
    assert_eq!(
        run(&connection, "SET lock me XX").await.unwrap(),
        [RedisReply::Nil]
    );
    assert_eq!(
        run(&connection, "SET lock me NX PX 60000").await.unwrap(),
        ok()
    );
    assert_eq!(
        run(&connection, "set lock you nx px 60000").await.unwrap(),
        [RedisReply::Nil]
    );
    assert_eq!(
        run(&connection, "DEL lock").await.unwrap(),
        [RedisReply::Int64(1)]
    );
    assert_eq!(
        run(&connection, "SET lock me NX PX 30").await.unwrap(),
        ok()
    );
    let expired = async {
        while run(&connection, "EXISTS lock").await.unwrap() != [RedisReply::Int64(0)] {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), expired)
        .await
        .unwrap();
    assert_eq!(
        run(&connection, "SET lock you NX EX 30").await.unwrap(),
        ok()
    );
    // A `SET` without an expiry removes the old expiry.
    assert_eq!(run(&connection, "SET lock you PX 30").await.unwrap(), ok());
    assert_eq!(run(&connection, "SET lock you").await.unwrap(), ok());
    tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    assert_eq!(connection.get("lock").await.unwrap().unwrap(), b"you");
}

async fn a_stream_is_appended_to_and_read_back_flat(fixture: Fixture) {
    let connection = open(&fixture).await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        let answer = run(&connection, &format!("XADD stream * event {number} more x"))
            .await
            .unwrap();
        let [RedisReply::Binary(id)] = &answer[..] else {
            panic!("{answer:?}")
        };
        ids.push(String::from_utf8(id.clone()).unwrap());
    }
    assert!(ids[0].parse::<EntryId>().unwrap() < ids[2].parse().unwrap());
    assert_eq!(
        run(&connection, "XLEN stream").await.unwrap(),
        [RedisReply::Int64(3)]
    );
    assert_eq!(
        run(&connection, "EXISTS stream").await.unwrap(),
        [RedisReply::Int64(1)]
    );
    let entry = |number: usize| {
        [
            binary(&ids[number - 1]),
            binary("event"),
            binary(&number.to_string()),
            binary("more"),
            binary("x"),
        ]
    };
    let all = run(&connection, "XRANGE stream - +").await.unwrap();
    assert_eq!(all, [entry(1), entry(2), entry(3)].concat());
    let some = run(&connection, &format!("XRANGE stream {} + COUNT 1", ids[1]))
        .await
        .unwrap();
    assert_eq!(some, entry(2));
    let (milliseconds, _) = ids[2].split_once('-').unwrap();
    let upto = run(&connection, &format!("XRANGE stream 0 {milliseconds}"))
        .await
        .unwrap();
    assert_eq!(upto, all);
    assert_eq!(run(&connection, "XRANGE none - +").await.unwrap(), []);
}

async fn a_message_without_subscribers_is_not_an_error(fixture: Fixture) {
    let connection = open(&fixture).await;
    connection
        .publish("socar.car", b"{}".to_vec())
        .await
        .unwrap();
    assert_eq!(
        run(&connection, "PUBLISH socar.car {}").await.unwrap(),
        [RedisReply::Int64(0)]
    );
}

async fn wrong_arguments_are_errors(fixture: Fixture) {
    let connection = open(&fixture).await;
    for line in [
        "GET",
        "GET a b",
        "SET a",
        "SET a b MAYBE",
        "SET a b PX 0",
        "SET a b EX soon",
        "INCRBY n x",
        "XADD s *",
        "XADD s * event",
        "XRANGE s - + COUNT",
        "XRANGE s x +",
        "DEL",
        "SADD s",
        "XLEN",
        "NOSUCH",
    ] {
        let answer = run(&connection, line).await;
        assert!(
            matches!(answer, Err(BusError::Refused(_) | BusError::Denied(_))),
            "{line}: {answer:?}"
        );
    }
}

async fn an_invalid_address_is_an_error(fixture: Fixture) {
    for address in ["", "not an address", "http://127.0.0.1:6379"] {
        let opened = open_at(&fixture.bus, address).await.err();
        assert!(
            matches!(opened, Some(BusError::InvalidAddress(_))),
            "{address}: {opened:?}"
        );
    }
}

#[tokio::test]
async fn an_embedded_message_wakes_the_groups_of_its_stream() {
    let database = Database::in_memory().unwrap();
    let log = Arc::new(EmbeddedLog::open(database.clone()).unwrap());
    let bus = Bus::embedded(ADDRESS, log.clone(), database, Vec::new()).unwrap();
    for group in ["message", "viewpage"] {
        let reader = event_log::Consumer::new(group, "host", &["socar.car"]);
        log.subscribe(&reader).await.unwrap();
    }
    let connection = open_at(&bus, "redis://127.0.0.1:6379/0").await.unwrap();
    let woken = run(&connection, "PUBLISH socar.car {}").await.unwrap();
    assert_eq!(woken, [RedisReply::Int64(2)]);
}

#[tokio::test]
async fn a_command_that_embedded_mode_does_not_support_is_named_in_the_error() {
    let connection = open(&embedded()).await;
    for line in [
        "ZADD z 1 a",
        "XADD s MAXLEN 10 * event x",
        "EVAL return 0",
        "XADD s 5-1 event x",
    ] {
        let error = run(&connection, line).await.unwrap_err().to_string();
        assert!(
            error.contains(line.split(' ').next().unwrap()),
            "{line}: {error}"
        );
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_an_error() {
    let mut server = RedisServer::start().await;
    let bus = Bus::redis(ADDRESS, server.client(), Vec::new());
    let connection = open_at(&bus, ADDRESS).await.unwrap();
    connection
        .publish("socar.car", b"{}".to_vec())
        .await
        .unwrap();
    server.kill();
    let lost = connection.publish("socar.car", b"{}".to_vec()).await;
    assert!(matches!(lost, Err(BusError::Redis(_))), "{lost:?}");
    server.restart().await;
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    connection
        .publish("socar.car", b"{}".to_vec())
        .await
        .unwrap();
}
