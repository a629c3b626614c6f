//! A store outside of the embedded file whose writes are durable only after earlier writes to that file.
//!
//! The embedded file commits in groups, another store at once. A component that uses both (an aggregate there, its
//! intent here) must not find the later write without the earlier one after a crash.

use std::sync::Arc;

use async_trait::async_trait;

use super::{KeyPage, KeyValue, StoreError};
use storage::database::{CommitWatermark, Database};

/// A store whose writes wait for those of the embedded file.
pub struct OrderedStore {
    inner: Arc<dyn KeyValue>,
    embedded: Arc<Database>,
}

impl OrderedStore {
    /// Makes the writes to `inner` wait for earlier writes to `embedded`.
    pub fn new(inner: Arc<dyn KeyValue>, embedded: Arc<Database>) -> Self {
        Self { inner, embedded }
    }

    /// The store, after earlier writes to the embedded file are durable.
    async fn after(&self) -> Result<&dyn KeyValue, StoreError> {
        CommitWatermark::from_now(&self.embedded)
            .wait_durable()
            .await?;
        Ok(&*self.inner)
    }
}

#[async_trait]
impl KeyValue for OrderedStore {
    fn system(&self) -> &'static str {
        self.inner.system()
    }

    fn backend(&self) -> String {
        self.inner.backend()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner.check().await
    }

    async fn check_index(&self) -> Result<(), StoreError> {
        self.inner.check_index().await
    }

    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key).await
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.after().await?.set(key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.after().await?.delete(key).await
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

    async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        self.after().await?.set_many(pairs).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        self.after().await?.delete_many(keys).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        self.after().await?.increment(key, delta).await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, StoreError> {
        self.after()
            .await?
            .compare_and_swap(key, expected, new)
            .await
    }
}
