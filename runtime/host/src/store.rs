//! The key-value stores behind the labels of `key_value_stores`.
//!
//! One trait has two backends that pass the same tests: [`sqlite`] (the table layout of Spin) and [`redis`] (the key
//! layout of Spin, or prefixed keys). In contrast to stock Spin, a compare-and-swap is correct for absent keys and under
//! contention, and incrementing a value that is not a counter is an error that leaves the store usable.

pub mod history;
pub mod ordered;
pub mod redis;
pub mod sqlite;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

use crate::availability::BackendError;
use crate::host_call_timeout::HostCallTimedOut;
use storage::database::DatabaseError;
use storage::redis_client::RedisClientError;

pub use self::history::HistoryStore;
pub use self::ordered::OrderedStore;
pub use self::redis::RedisStore;
pub use self::sqlite::SqliteStore;

/// The store of one label.
///
/// Every write is atomic. A write that fails with [`StoreError::Redis`] or [`StoreError::OutOfTime`] may nevertheless
/// have happened. Every method returns [`StoreError::Database`] or [`StoreError::Redis`] if the backend fails.
#[async_trait]
pub trait KeyValue: Send + Sync {
    /// The kind of the backend, for spans: `sqlite` or `redis`.
    fn system(&self) -> &'static str;

    /// The backend, for a check that is done once for all stores on it.
    fn backend(&self) -> String;

    /// Checks that a write would be kept, without writing anything.
    async fn check(&self) -> Result<(), StoreError>;

    /// Checks what the store keeps beside its values.
    async fn check_index(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Goes on with what is in the store, although it does not belong to the history of the event log.
    async fn accept(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Leaves everything in the file of the store, at the end of the process; blocks as long as that takes.
    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns the value of a key, or `None` if it has no value.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a value, and replaces an earlier one.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Removes a key. An absent key is no error.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Returns whether the key has a value.
    async fn exists(&self, key: &str) -> Result<bool, StoreError>;

    /// Returns the page of keys after `cursor` (`None`: the first page), at most about 1000, in no particular order. A
    /// key that exists during the whole listing is in it; on Redis a key may be in it twice.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] if the cursor is not one of this store.
    async fn keys(&self, cursor: Option<&str>) -> Result<KeyPage, StoreError>;

    /// Returns the values of several keys, in the order of the keys.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Writes several values atomically.
    async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), StoreError>;

    /// Removes several keys atomically.
    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError>;

    /// Adds to a counter, and returns the sum. An absent counter is created with the value `delta`, also if `delta`
    /// is 0.
    ///
    /// # Errors
    /// [`StoreError::NotACounter`] if the value is not a counter, [`StoreError::Overflow`] if the sum does not fit into
    /// 64 bits.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError>;

    /// Writes `new` if the present value equals `expected` (`None`: if the key has no value), as one atomic step.
    /// Returns whether it did. Of several concurrent calls with the same `expected`, at most one returns `true`.
    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, StoreError>;
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    pub keys: Vec<String>,
    /// The cursor of the next page; `None` on the last page.
    pub cursor: Option<String>,
}

/// An error of a key-value store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the value of `{0}` is not a counter")]
    NotACounter(String),
    #[error("the counter `{0}` would overflow")]
    Overflow(String),
    #[error("`{0}` is not a cursor of this store")]
    BadCursor(String),
    #[error(
        "it does not belong to the event log: one of them was lost, replaced or restored; restore both from the same \
         time, or run `socar accept-store {0}` to go on with them as they are"
    )]
    Foreign(String),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Redis(#[from] RedisClientError),
    #[error(transparent)]
    HostCallTimedOut(#[from] HostCallTimedOut),
}

impl BackendError for StoreError {
    fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(_) | Self::Redis(_) | Self::HostCallTimedOut(_) | Self::Foreign(_) => {
                true
            }
            Self::NotACounter(_) | Self::Overflow(_) | Self::BadCursor(_) => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Returns all keys of a store, sorted and without duplicates.
///
/// # Errors
/// As [`KeyValue::keys`].
pub async fn all_keys(store: &dyn KeyValue) -> Result<Vec<String>, StoreError> {
    let mut page = store.keys(None).await?;
    let mut keys = std::mem::take(&mut page.keys);
    while let Some(cursor) = page.cursor {
        page = store.keys(Some(&cursor)).await?;
        keys.append(&mut page.keys);
    }
    // Redis lists a key twice if its table grew during the listing.
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}
