use std::sync::atomic::AtomicUsize;

use super::*;
use crate::store::{RedisStore, SqliteStore};
use storage::database::Database;
use storage::redis_client::test_support::RedisServer;

/// The database of a log, and a store beside it; both are in memory.
#[derive(Clone)]
struct Places {
    values: Arc<dyn KeyValue>,
    mark: Cell,
    record: Cell,
}

impl Places {
    fn new() -> Self {
        let (log, store) = (Database::in_memory(), Database::in_memory());
        let store = store.unwrap();
        Self {
            values: Arc::new(SqliteStore::open(store.clone(), "car").unwrap()),
            mark: cell(SqliteStore::open(store, "marks").unwrap()),
            record: cell(SqliteStore::open(log.unwrap(), "records").unwrap()),
        }
    }

    /// A host that starts on what is there.
    fn start(&self) -> HistoryStore {
        let Self {
            values,
            mark,
            record,
        } = self.clone();
        HistoryStore::new("car", values, mark, record)
    }

    /// The same log, with a store that is lost.
    fn without_store(&self) -> Self {
        Self {
            record: self.record.clone(),
            ..Self::new()
        }
    }

    /// The same store, with a log that is lost.
    fn without_log(&self) -> Self {
        Self {
            record: Self::new().record,
            ..self.clone()
        }
    }
}

fn cell(store: impl KeyValue + 'static) -> Cell {
    Cell {
        store: Arc::new(store),
        key: "car".to_owned(),
    }
}

/// A cell whose writes fail from a certain one on, as after a kill.
struct Dying {
    inner: Arc<dyn KeyValue>,
    left: Arc<AtomicUsize>,
}

#[async_trait]
impl KeyValue for Dying {
    fn system(&self) -> &'static str {
        self.inner.system()
    }

    fn backend(&self) -> String {
        self.inner.backend()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner.check().await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key).await
    }

    async fn set(&self, _: &str, _: &[u8]) -> Result<(), StoreError> {
        unreachable!("marks are swapped")
    }

    async fn delete(&self, _: &str) -> Result<(), StoreError> {
        unreachable!("marks are swapped")
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.exists(key).await
    }

    async fn keys(&self, cursor: Option<&str>) -> Result<KeyPage, StoreError> {
        self.inner.keys(cursor).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.inner.get_many(keys).await
    }

    async fn set_many(&self, _: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        unreachable!("marks are swapped")
    }

    async fn delete_many(&self, _: &[String]) -> Result<(), StoreError> {
        unreachable!("marks are swapped")
    }

    async fn increment(&self, _: &str, _: i64) -> Result<i64, StoreError> {
        unreachable!("marks are swapped")
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let spent = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        if spent.is_err() {
            return Err(rusqlite::Error::InvalidQuery.into());
        }
        self.inner.compare_and_swap(key, expected, new).await
    }
}

fn assert_foreign<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Foreign(_))), "{result:?}");
}

#[tokio::test]
async fn a_store_belongs_to_the_log_with_which_it_began() {
    let places = Places::new();
    for round in 0..3 {
        let store = places.start();
        store.check().await.unwrap();
        assert_eq!(store.increment("number", 1).await.unwrap(), round + 1);
    }
}

#[tokio::test]
async fn a_store_with_values_and_without_marks_is_taken_over() {
    let places = Places::new();
    places.values.set("old", b"1").await.unwrap();
    let store = places.start();
    assert_eq!(store.get("old").await.unwrap().unwrap(), b"1");
    store.set("new", b"2").await.unwrap();
    places.start().check().await.unwrap();
}

#[tokio::test]
async fn a_lost_store_and_a_lost_log_are_foreign() {
    let places = Places::new();
    places.start().set("a", b"1").await.unwrap();
    for other in [places.without_store(), places.without_log()] {
        let store = other.start();
        assert_foreign(store.get("a").await);
        assert_foreign(store.set("a", b"2").await);
        assert_foreign(store.increment("number", 1).await);
        assert_foreign(store.check().await);
    }
    places.start().check().await.unwrap();
}

#[tokio::test]
async fn a_store_is_lost_while_the_host_runs() {
    let places = Places::new();
    let store = places.start();
    store.set("a", b"1").await.unwrap();
    places.values.delete("a").await.unwrap();
    places.mark.store.delete("car").await.unwrap();
    assert_foreign(store.check().await);
    assert_foreign(store.get("a").await);
    store.accept().await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_backup_of_either_is_foreign_after_later_writes() {
    let places = Places::new();
    places.start().set("a", b"1").await.unwrap();
    let [mark, record] = [&places.mark, &places.record].map(Cell::text);
    let (mark, record) = (mark.await.unwrap().unwrap(), record.await.unwrap().unwrap());
    let restore = |cell: &Cell, text: &str| {
        let (store, key, text) = (cell.store.clone(), cell.key.clone(), text.to_owned());
        async move { store.set(&key, text.as_bytes()).await.unwrap() }
    };
    // The next host replaces the mark before its first write.
    places.start().set("a", b"2").await.unwrap();
    restore(&places.mark, &mark).await;
    assert_foreign(places.start().check().await);
    restore(&places.record, &record).await;
    places.start().check().await.unwrap();
    places.start().set("a", b"2").await.unwrap();
    restore(&places.record, &record).await;
    assert_foreign(places.start().check().await);
}

#[tokio::test]
async fn an_accepted_store_belongs_to_the_log() {
    let places = Places::new();
    places.start().set("a", b"1").await.unwrap();
    for other in [places.without_store(), places.without_log()] {
        let store = other.start();
        assert_foreign(store.check().await);
        store.accept().await.unwrap();
        store.set("a", b"2").await.unwrap();
        other.start().check().await.unwrap();
        // Without a doubt there is nothing to accept.
        other.start().accept().await.unwrap();
        other.start().check().await.unwrap();
    }
}

#[tokio::test]
async fn a_crash_at_any_instant_leaves_a_store_that_belongs_to_the_log() {
    for first in [true, false] {
        for writes in 0..6 {
            let places = Places::new();
            if !first {
                places.start().set("a", b"1").await.unwrap();
            }
            let left = Arc::new(AtomicUsize::new(writes));
            let dying = |cell: &Cell| Cell {
                key: cell.key.clone(),
                store: Arc::new(Dying {
                    inner: cell.store.clone(),
                    left: left.clone(),
                }),
            };
            let crashing = Places {
                values: places.values.clone(),
                mark: dying(&places.mark),
                record: dying(&places.record),
            };
            let _ = crashing.start().set("a", b"2").await;
            let store = places.start();
            store.set("a", b"3").await.unwrap();
            places.start().check().await.unwrap();
            let record = places.record.text().await.unwrap();
            assert_eq!(record, places.mark.text().await.unwrap(), "{writes}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_replace_the_mark_of_a_shared_store_do_not_disturb_each_other() {
    let server = RedisServer::start().await;
    let store = || Arc::new(RedisStore::raw(server.client()));
    let places = || Places {
        values: store(),
        mark: Cell {
            store: store(),
            key: RedisStore::mark_key("car"),
        },
        record: Cell {
            store: store(),
            key: "record".to_owned(),
        },
    };
    let mut hosts = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let places = places();
        hosts.spawn(async move {
            // Each start replaces the mark.
            for _ in 0..50 {
                places.start().increment("number", 1).await.unwrap();
            }
        });
    }
    hosts.join_all().await;
    let store = places().start();
    assert_eq!(store.increment("number", 1).await.unwrap(), 401);
    assert_eq!(
        crate::store::all_keys(&store).await.unwrap(),
        ["number", "record"]
    );
}
