//! Key-value stores: what `key_value_stores` labels stand for.
//!
//! One trait, two backends that pass the same tests: [`sqlite`] (Spin's own table layout) and
//! [`redis`] (Spin's own key layout, or prefixed). Unlike stock Spin's, the compare-and-swap here
//! tells the truth on both, also for absent keys and under contention, and a counter that is no
//! counter is an error and not the end of the store.

pub mod ordered;
pub mod redis;
pub mod sqlite;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

use crate::host_call_timeout::HostCallTimedOut;
use storage::database::DatabaseError;
use storage::redis_client::RedisClientError;

pub use self::ordered::OrderedStore;
pub use self::redis::RedisStore;
pub use self::sqlite::SqliteStore;

/// One store, as one label names it.
#[async_trait]
pub trait KeyValue: Send + Sync {
    /// The value of a key, if it has one.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a value over whatever was there.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Removes a key; an absent one is fine.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Whether the key has a value.
    async fn exists(&self, key: &str) -> Result<bool, StoreError>;

    /// The next keys in no particular order, after `cursor` (`None` for the first ones). KeyPage
    /// that are there throughout a listing are in it; on Redis one may be in it twice.
    async fn keys(&self, cursor: Option<&str>) -> Result<KeyPage, StoreError>;

    /// The values of several keys, in their order.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Writes several values, all or none.
    async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), StoreError>;

    /// Removes several keys, all or none.
    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError>;

    /// Adds to a counter, atomically, and answers the sum. An absent one counts as 0 and is
    /// created, also by adding 0.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError>;

    /// Writes `new` if the present value is `expected` (`None`: if there is none), atomically, and
    /// says whether it did.
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
    /// What to ask for the next page with; `None` on the last one.
    pub cursor: Option<String>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the value of `{0}` is not a counter")]
    NotACounter(String),
    #[error("the counter `{0}` would overflow")]
    Overflow(String),
    #[error("`{0}` is no cursor of this store")]
    BadCursor(String),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Redis(#[from] RedisClientError),
    #[error(transparent)]
    HostCallTimedOut(#[from] HostCallTimedOut),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// All keys of a store, for the interfaces that want them in one piece.
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
    // Redis may have listed a key twice, when its table grew meanwhile.
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}
