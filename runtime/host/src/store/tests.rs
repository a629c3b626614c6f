//! Tests of the store contract, run against each backend.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use storage::database::Database;
use storage::redis_client::test_support::RedisServer;

/// Two stores of a backend under test, and a guard that keeps the backend running.
struct Fixture {
    store: Arc<dyn KeyValue>,
    other: Arc<dyn KeyValue>,
    _alive: Box<dyn std::any::Any>,
}

fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("socar.db")).unwrap();
    Fixture {
        store: Arc::new(SqliteStore::open(database.clone(), "car").unwrap()),
        other: Arc::new(SqliteStore::open(database, "car-outbox").unwrap()),
        _alive: Box::new(folder),
    }
}

async fn redis() -> Fixture {
    let server = RedisServer::start().await;
    Fixture {
        store: Arc::new(RedisStore::labelled(server.client(), "car")),
        other: Arc::new(RedisStore::labelled(server.client(), "car-outbox")),
        _alive: Box::new(server),
    }
}

macro_rules! on_both_backends {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::sqlite()).await;
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

on_both_backends!(
    a_value_is_stored_until_it_is_deleted,
    labels_have_separate_keys,
    a_listing_contains_every_key_once,
    many_keys_are_written_read_and_deleted_together,
    a_swap_requires_the_expected_value,
    one_of_many_concurrent_creations_succeeds,
    no_swap_is_lost_under_contention,
    no_increment_is_lost_under_contention,
    a_value_that_is_no_counter_is_an_error_and_stays_unchanged,
    a_counter_does_not_wrap_around,
    any_sequence_of_operations_equals_a_map,
);

async fn a_value_is_stored_until_it_is_deleted(fixture: Fixture) {
    let store = fixture.store;
    assert_eq!(store.get("a").await.unwrap(), None);
    assert!(!store.exists("a").await.unwrap());
    store.set("a", b"\0\xffbytes").await.unwrap();
    store.set("empty", b"").await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap(), b"\0\xffbytes");
    assert_eq!(store.get("empty").await.unwrap().unwrap(), b"");
    assert!(store.exists("a").await.unwrap());
    store.delete("a").await.unwrap();
    store.delete("a").await.unwrap();
    assert!(!store.exists("a").await.unwrap());
}

async fn labels_have_separate_keys(fixture: Fixture) {
    fixture.store.set("a", b"1").await.unwrap();
    fixture.other.set("b", b"2").await.unwrap();
    assert_eq!(fixture.other.get("a").await.unwrap(), None);
    assert_eq!(all_keys(&*fixture.store).await.unwrap(), ["a"]);
    assert_eq!(all_keys(&*fixture.other).await.unwrap(), ["b"]);
}

async fn a_listing_contains_every_key_once(fixture: Fixture) {
    let store = fixture.store;
    assert_eq!(all_keys(&*store).await.unwrap(), Vec::<String>::new());
    let names: BTreeSet<String> = (0..2500).map(|n| format!("열쇠*[{n}]")).collect();
    let pairs: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), b"x".to_vec()))
        .collect();
    store.set_many(&pairs).await.unwrap();
    let listed = all_keys(&*store).await.unwrap();
    assert_eq!(listed.len(), names.len());
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), names);
}

async fn many_keys_are_written_read_and_deleted_together(fixture: Fixture) {
    let store = fixture.store;
    let names = ["a", "missing", "b"].map(str::to_owned);
    store.set_many(&[]).await.unwrap();
    store
        .set_many(&[("a".into(), b"1".to_vec()), ("b".into(), b"2".to_vec())])
        .await
        .unwrap();
    let read = store.get_many(&names).await.unwrap();
    assert_eq!(read, [Some(b"1".to_vec()), None, Some(b"2".to_vec())]);
    assert!(store.get_many(&[]).await.unwrap().is_empty());
    store.delete_many(&names).await.unwrap();
    store.delete_many(&[]).await.unwrap();
    assert_eq!(store.get_many(&names).await.unwrap(), [None, None, None]);
}

async fn a_swap_requires_the_expected_value(fixture: Fixture) {
    let store = fixture.store;
    assert!(!store.compare_and_swap("a", Some(b"1"), b"2").await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), None);
    assert!(store.compare_and_swap("a", None, b"1").await.unwrap());
    assert!(!store.compare_and_swap("a", None, b"2").await.unwrap());
    assert!(!store.compare_and_swap("a", Some(b""), b"2").await.unwrap());
    assert!(store.compare_and_swap("a", Some(b"1"), b"2").await.unwrap());
    // An empty value differs from an absent one.
    assert!(store.compare_and_swap("a", Some(b"2"), b"").await.unwrap());
    assert!(!store.compare_and_swap("a", None, b"3").await.unwrap());
    assert!(store.compare_and_swap("a", Some(b""), b"3").await.unwrap());
    assert_eq!(store.get("a").await.unwrap().unwrap(), b"3");
    store.delete("a").await.unwrap();
    assert!(!store.compare_and_swap("a", Some(b"3"), b"4").await.unwrap());
}

async fn one_of_many_concurrent_creations_succeeds(fixture: Fixture) {
    for round in 0..20 {
        let key = format!("car/{round}");
        let racers: Vec<_> = (0..16_u8)
            .map(|racer| {
                let (store, key) = (fixture.store.clone(), key.clone());
                tokio::spawn(
                    async move { store.compare_and_swap(&key, None, &[racer]).await.unwrap() },
                )
            })
            .collect();
        let mut winners = Vec::new();
        for (racer, race) in (0_u8..).zip(racers) {
            if race.await.unwrap() {
                winners.push(racer);
            }
        }
        assert_eq!(winners.len(), 1, "winners of {key}: {winners:?}");
        assert_eq!(fixture.store.get(&key).await.unwrap().unwrap(), winners);
    }
}

/// Each task appends its own marks with a load, change and swap. When every successful swap took effect exactly once on
/// the expected value, the final value holds each mark once, and the marks of each task in order. For this history, that
/// is linearizability.
async fn no_swap_is_lost_under_contention(fixture: Fixture) {
    const TASKS: u8 = 8;
    const MARKS: u8 = 40;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                for mark in 0..MARKS {
                    loop {
                        let old = store.get("marks").await.unwrap();
                        let mut new = old.clone().unwrap_or_default();
                        new.extend([task, mark]);
                        if store
                            .compare_and_swap("marks", old.as_deref(), &new)
                            .await
                            .unwrap()
                        {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let marks = fixture.store.get("marks").await.unwrap().unwrap();
    assert_eq!(marks.len(), usize::from(TASKS) * usize::from(MARKS) * 2);
    for task in 0..TASKS {
        let own: Vec<u8> = marks
            .chunks(2)
            .filter(|m| m[0] == task)
            .map(|m| m[1])
            .collect();
        assert_eq!(own, (0..MARKS).collect::<Vec<_>>(), "marks of task {task}");
    }
}

async fn no_increment_is_lost_under_contention(fixture: Fixture) {
    const TASKS: i64 = 8;
    const TIMES: i64 = 100;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                let mut sums = Vec::new();
                for _ in 0..TIMES {
                    sums.push(store.increment("n", 1).await.unwrap());
                }
                sums
            })
        })
        .collect();
    let mut sums = BTreeSet::new();
    for task in tasks {
        let own = task.await.unwrap();
        assert!(own.is_sorted());
        sums.extend(own);
    }
    assert_eq!(sums, (1..=TASKS * TIMES).collect());
    assert_eq!(
        fixture.store.increment("n", 0).await.unwrap(),
        TASKS * TIMES
    );
    assert_eq!(
        fixture.store.increment("n", -1).await.unwrap(),
        TASKS * TIMES - 1
    );
}

async fn a_value_that_is_no_counter_is_an_error_and_stays_unchanged(fixture: Fixture) {
    let store = fixture.store;
    store.set("text", b"five").await.unwrap();
    let error = store.increment("text", 1).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::NotACounter(key) if key == "text"),
        "{error}"
    );
    assert_eq!(store.get("text").await.unwrap().unwrap(), b"five");
    assert_eq!(store.increment("n", 0).await.unwrap(), 0);
    assert!(store.exists("n").await.unwrap());
    assert_eq!(store.increment("n", 5).await.unwrap(), 5);
}

async fn a_counter_does_not_wrap_around(fixture: Fixture) {
    let store = fixture.store;
    store.increment("n", i64::MAX).await.unwrap();
    let error = store.increment("n", 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Overflow(_)), "{error}");
    assert_eq!(store.increment("n", 0).await.unwrap(), i64::MAX);
}

/// Compares 1000 random operations on a few keys with a map in memory.
async fn any_sequence_of_operations_equals_a_map(fixture: Fixture) {
    let store = fixture.store;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % limit
    };
    let mut map = BTreeMap::<String, Vec<u8>>::new();
    for step in 0..1000 {
        let key = format!("key/{}", below(5));
        let value = vec![b'v'; usize::try_from(below(3)).unwrap()];
        let present = map.get(&key).cloned();
        let at = format!("step {step}, {key}");
        match below(6) {
            0 => {
                store.set(&key, &value).await.unwrap();
                map.insert(key, value);
            }
            1 => {
                store.delete(&key).await.unwrap();
                map.remove(&key);
            }
            2 => assert_eq!(store.get(&key).await.unwrap(), present, "{at}"),
            3 => assert_eq!(store.exists(&key).await.unwrap(), present.is_some(), "{at}"),
            4 => {
                let listed = all_keys(&*store).await.unwrap();
                assert_eq!(listed, map.keys().cloned().collect::<Vec<_>>(), "{at}");
            }
            _ => {
                let expected =
                    (below(3) > 0).then(|| vec![b'v'; usize::try_from(below(3)).unwrap()]);
                let swapped = store
                    .compare_and_swap(&key, expected.as_deref(), &value)
                    .await;
                assert_eq!(swapped.unwrap(), expected == present, "{at}");
                if expected == present {
                    map.insert(key, value);
                }
            }
        }
    }
}

#[tokio::test]
async fn redis_keys_have_the_layout_of_stock_spin() {
    let server = RedisServer::start().await;
    let client = server.client();
    let raw = RedisStore::raw(client.clone());
    raw.set("k", b"v").await.unwrap();
    raw.increment("n", 7).await.unwrap();
    RedisStore::labelled(client.clone(), "car")
        .set("k", b"w")
        .await
        .unwrap();
    let get = |key: &'static str| {
        let client = client.clone();
        async move {
            client
                .query::<String>(::redis::cmd("GET").arg(key))
                .await
                .unwrap()
        }
    };
    assert_eq!(get("k").await, "v");
    assert_eq!(get("n").await, "7");
    assert_eq!(get("car:k").await, "w");
}

/// The number of commands that a server executed so far, also by scripts, without those of this question.
async fn commands(client: &storage::redis_client::RedisClient) -> u64 {
    let statistics: String = client
        .query(::redis::cmd("INFO").arg("commandstats"))
        .await
        .unwrap();
    let calls = statistics.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split_once(',')?.0.parse::<u64>().ok()?;
        (name != "info").then_some(calls)
    });
    calls.sum()
}

/// Sets keys of other stores of the same database.
async fn populate(client: &storage::redis_client::RedisClient, count: u32) {
    let set_all = "for i = 1, ARGV[1] do redis.call('SET', 'another-store:' .. i, i) end";
    let script = ::redis::Script::new(set_all);
    client.invoke::<()>(&script.arg(count)).await.unwrap();
}

/// Sweeps list their store every few seconds, and the stores of all labels share one database.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_costs_the_same_in_a_large_database() {
    let server = RedisServer::start().await;
    let client = server.client();
    populate(&client, 200_000).await;
    let store = RedisStore::labelled(client.clone(), "car-outbox");
    store.set("intent/1", b"1").await.unwrap();
    // Until each key of the database was examined once, a listing examines all of them.
    let mut costs = Vec::new();
    for _ in 0..30 {
        let before = commands(&client).await;
        assert_eq!(all_keys(&store).await.unwrap(), ["intent/1"]);
        costs.push(commands(&client).await - before);
    }
    let last = costs.split_off(25);
    assert!(last.iter().all(|cost| *cost <= 20), "{costs:?} {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_host_has_just_written_is_listed_in_a_large_database() {
    let server = RedisServer::start().await;
    let client = server.client();
    populate(&client, 50_000).await;
    let sweeping = RedisStore::labelled(client.clone(), "car-outbox");
    for _ in 0..10 {
        all_keys(&sweeping).await.unwrap();
    }
    // This host has never listed the store, and ends after its writes.
    let other = RedisStore::labelled(server.client(), "car-outbox");
    other.set("intent/1", b"1").await.unwrap();
    other.set("intent/2", b"1").await.unwrap();
    other.delete("intent/2").await.unwrap();
    other
        .set_many(&[("a".into(), b"1".to_vec())])
        .await
        .unwrap();
    assert!(other.compare_and_swap("b", None, b"1").await.unwrap());
    other.increment("n", 1).await.unwrap();
    drop(other);
    let listed = all_keys(&sweeping).await.unwrap();
    assert_eq!(listed, ["a", "b", "intent/1", "n"]);
}

/// A host of an earlier version, or a host before the first listing of all, keeps no index.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_without_an_index_is_listed() {
    let server = RedisServer::start().await;
    let client = server.client();
    let store = RedisStore::labelled(client.clone(), "car-outbox");
    store.set("intent/1", b"1").await.unwrap();
    assert_eq!(all_keys(&store).await.unwrap(), ["intent/1"]);
    let earlier = |command: &str, key: &str| {
        let command = ::redis::cmd(command)
            .arg(format!("car-outbox:{key}"))
            .to_owned();
        let client = client.clone();
        async move { client.query::<()>(&command).await.unwrap() }
    };
    earlier("INCR", "intent/2").await;
    earlier("DEL", "intent/1").await;
    assert_eq!(all_keys(&store).await.unwrap(), ["intent/2"]);
}

#[tokio::test]
async fn sqlite_rows_have_the_layout_of_stock_spin() {
    let database = Database::in_memory().unwrap();
    let store = SqliteStore::open(database.clone(), "car").unwrap();
    store.increment("n", 7).await.unwrap();
    let row: (String, String, Vec<u8>) = database
        .read(|c| {
            c.query_row("SELECT store, key, value FROM spin_key_value", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
        })
        .unwrap();
    assert_eq!(
        row,
        ("car".into(), "n".into(), 7_i64.to_le_bytes().to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_redis_server_is_unavailable() {
    let mut server = RedisServer::start().await;
    let store = RedisStore::labelled(server.client(), "car");
    store.set("a", b"1").await.unwrap();
    server.kill();
    for error in [
        store.get("a").await.unwrap_err(),
        store.increment("n", 1).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::Redis(error) if error.is_unavailable()),
            "{error}"
        );
    }
}

/// Every write that keeps the index would fail.
#[tokio::test]
async fn something_else_under_the_key_of_the_index_is_found() {
    let server = RedisServer::start().await;
    let client = server.client();
    let store = RedisStore::labelled(client.clone(), "car-outbox");
    store.check_index().await.unwrap();
    let set = ::redis::cmd("SET")
        .arg("socar.keys:car-outbox")
        .arg("x")
        .to_owned();
    client.query::<String>(&set).await.unwrap();
    store.check().await.unwrap();
    store.check_index().await.unwrap_err();
}
