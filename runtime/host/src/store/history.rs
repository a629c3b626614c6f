//! A store outside of the event log's database, which is used only while it belongs to the history of the log.
//!
//! A store in a file or on a server of its own can be lost, replaced or restored without the log. It would then use ids a
//! second time, and sell what is sold. The store therefore holds a mark, a random text, and the log's database a record of
//! it. A mark is replaced as long as components write, so that a backup holds another one than the store has now.
//!
//! The record takes the next mark before the store does: a crash at any instant leaves a store whose mark is known. Several
//! hosts may replace the mark of a store that they share. Each step is a compare-and-swap that all but the first skip.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex as SyncMutex;
use tokio::sync::Mutex;

use super::{KeyPage, KeyValue, StoreError};
use crate::trace::Trace;

/// The shortest time between two replacements of a mark: what a restored backup may lack without being noticed.
const MARK_AGE: Duration = Duration::from_secs(1);

/// One value of a store.
#[derive(Clone)]
pub struct Cell {
    pub store: Arc<dyn KeyValue>,
    pub key: String,
}

/// A store that is used only while its mark is the one that the log's database knows.
pub struct HistoryStore {
    label: String,
    inner: Arc<dyn KeyValue>,
    /// The mark, beside the values of the store.
    mark: Cell,
    /// What the log's database knows of the mark.
    record: Cell,
    /// Whether the store was found to belong to the log, and nothing happened since.
    belongs: AtomicBool,
    /// Whether the store was found not to belong to the log.
    is_foreign: AtomicBool,
    /// When the mark was replaced last by this process.
    replaced: SyncMutex<Option<Instant>>,
    /// Held while the mark is looked at or replaced.
    looking: Mutex<()>,
}

/// The marks that a store may have. A store without a mark has the empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Record {
    current: String,
    /// The mark that takes the place of the current one.
    next: Option<String>,
}

// === impl Cell ===

impl Cell {
    async fn text(&self) -> Result<Option<String>, StoreError> {
        let value = self.store.get(&self.key).await?;
        Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    /// Writes `new` if the value is `expected`; an absent value and an empty one are the same. Returns whether it did.
    async fn replace(&self, expected: &str, new: &str) -> Result<bool, StoreError> {
        let (new, expected) = (new.as_bytes(), expected.as_bytes());
        let present = Some(expected).filter(|it| !it.is_empty());
        let swapped = self.store.compare_and_swap(&self.key, present, new).await?;
        if swapped || present.is_some() {
            return Ok(swapped);
        }
        self.store
            .compare_and_swap(&self.key, Some(expected), new)
            .await
    }
}

// === impl Record ===

impl Record {
    fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            Some((current, next)) => Self {
                current: current.to_owned(),
                next: Some(next.to_owned()),
            },
            None => Self::of(text),
        }
    }

    /// The record of a store that has this mark, and gets no other yet.
    fn of(mark: &str) -> Self {
        Self {
            current: mark.to_owned(),
            next: None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        match &self.next {
            Some(next) => Cow::Owned(format!("{} {next}", self.current)),
            None => Cow::Borrowed(&self.current),
        }
    }

    fn knows(&self, mark: &str) -> bool {
        self.current == mark || self.next.as_deref() == Some(mark)
    }
}

// === impl HistoryStore ===

impl HistoryStore {
    /// The store `inner` with this label, whose mark and record are in these cells.
    pub fn new(label: &str, inner: Arc<dyn KeyValue>, mark: Cell, record: Cell) -> Self {
        Self {
            label: label.to_owned(),
            inner,
            mark,
            record,
            belongs: AtomicBool::new(false),
            is_foreign: AtomicBool::new(false),
            replaced: SyncMutex::new(None),
            looking: Mutex::new(()),
        }
    }

    /// The store, to read from.
    async fn readable(&self) -> Result<&dyn KeyValue, StoreError> {
        if !self.belongs.load(Ordering::Acquire) {
            // The check of the readiness looks at a foreign store again, a call does not.
            if self.is_foreign.load(Ordering::Acquire) {
                return Err(self.foreign());
            }
            let _looking = self.looking.lock().await;
            if !self.belongs.load(Ordering::Acquire) {
                self.look().await?;
            }
        }
        Ok(&*self.inner)
    }

    /// The store, to write to. The first write of each second replaces the mark before.
    async fn writable(&self) -> Result<&dyn KeyValue, StoreError> {
        let store = self.readable().await?;
        if self.has_fresh_mark() {
            return Ok(store);
        }
        let _looking = self.looking.lock().await;
        if !self.has_fresh_mark() {
            self.replace_mark().await?;
            *self.replaced.lock() = Some(Instant::now());
        }
        Ok(store)
    }

    fn has_fresh_mark(&self) -> bool {
        (self.replaced.lock()).is_some_and(|replaced| replaced.elapsed() < MARK_AGE)
    }

    /// Compares the mark with the record, and returns both.
    async fn look(&self) -> Result<(Record, String), StoreError> {
        let mut record = self.known().await?;
        loop {
            let mark = self.mark.text().await?.unwrap_or_default();
            if record.knows(&mark) {
                self.is_foreign.store(false, Ordering::Release);
                self.belongs.store(true, Ordering::Release);
                return Ok((record, mark));
            }
            // Another host may have replaced the mark between the two reads.
            let now = self.known().await?;
            if now == record {
                self.belongs.store(false, Ordering::Release);
                self.is_foreign.store(true, Ordering::Release);
                return Err(self.foreign());
            }
            record = now;
        }
    }

    async fn replace_mark(&self) -> Result<(), StoreError> {
        let (record, mark) = self.look().await?;
        // A replacement that a crash has interrupted, or that another host is doing, is continued.
        let next = match &record.next {
            Some(next) => next.clone(),
            None => Trace::fresh().id().to_owned(),
        };
        let replacing = Record {
            current: record.current.clone(),
            next: Some(next.clone()),
        };
        let has_begun = replacing == record
            || self
                .record
                .replace(&record.text(), &replacing.text())
                .await?;
        if !has_begun {
            // Another host replaces the mark now.
            return Ok(());
        }
        if mark != next {
            self.mark.replace(&mark, &next).await?;
        }
        self.record.replace(&replacing.text(), &next).await?;
        Ok(())
    }

    async fn known(&self) -> Result<Record, StoreError> {
        let text = self.record.text().await?.unwrap_or_default();
        Ok(Record::parse(&text))
    }

    fn foreign(&self) -> StoreError {
        StoreError::Foreign(self.label.clone())
    }

    /// Looks at the mark again before the next use if a call has failed: a server may come back without its values.
    fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Database(_) | StoreError::Redis(_)) = &result {
            self.belongs.store(false, Ordering::Release);
        }
        result
    }
}

#[async_trait]
impl KeyValue for HistoryStore {
    fn system(&self) -> &'static str {
        self.inner.system()
    }

    fn backend(&self) -> String {
        // Each store has a mark of its own.
        format!("{} {}", self.inner.backend(), self.label)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.noted(self.inner.check().await)?;
        let _looking = self.looking.lock().await;
        self.look().await.map(drop)
    }

    async fn check_index(&self) -> Result<(), StoreError> {
        self.inner.check_index().await
    }

    async fn accept(&self) -> Result<(), StoreError> {
        let _looking = self.looking.lock().await;
        let record = self.known().await?;
        let mark = self.mark.text().await?.unwrap_or_default();
        if !record.knows(&mark) {
            let accepted = Record::of(&mark);
            self.record
                .replace(&record.text(), &accepted.text())
                .await?;
        }
        self.look().await.map(drop)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.noted(self.readable().await?.get(key).await)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.noted(self.writable().await?.set(key, value).await)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.noted(self.writable().await?.delete(key).await)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.noted(self.readable().await?.exists(key).await)
    }

    async fn keys(&self, cursor: Option<&str>) -> Result<KeyPage, StoreError> {
        self.noted(self.readable().await?.keys(cursor).await)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.noted(self.readable().await?.get_many(keys).await)
    }

    async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        self.noted(self.writable().await?.set_many(pairs).await)
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        self.noted(self.writable().await?.delete_many(keys).await)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        self.noted(self.writable().await?.increment(key, delta).await)
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let store = self.writable().await?;
        self.noted(store.compare_and_swap(key, expected, new).await)
    }
}

#[cfg(test)]
mod tests;
