//! A store in a map, which fails on request.

use crate::store::{Store, StoreError, SwapOutcome};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
};

/// A store in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    counters: RefCell<BTreeMap<String, i64>>,
    /// Number of calls that succeed before the store fails.
    calls_until_failure: Cell<Option<u32>>,
    /// Whether the store recovers after one failed call.
    fails_once: Cell<bool>,
    /// Reports every swap as a conflict, also if it was written, as Spin's Redis provider does.
    pub denies_swaps: Cell<bool>,
    /// Whether every swap fails without an effect.
    pub rejects_swaps: Cell<bool>,
    /// Leaves the next swap unanswered, and applies it just before the swap after it.
    pub delays_next_swap: Cell<bool>,
    delayed: RefCell<Option<(MemoryCasToken, Vec<u8>)>>,
    interference: RefCell<Option<Interference>>,
}

/// What other writers do between a swap and its reading back.
struct Interference(Box<dyn FnOnce(&mut Entries)>);

/// The values by key.
type Entries = BTreeMap<String, Vec<u8>>;

impl fmt::Debug for Interference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interference")
    }
}

/// The content of a store at one time.
#[derive(Clone, Debug)]
pub struct MemorySnapshot {
    values: BTreeMap<String, Vec<u8>>,
    counters: BTreeMap<String, i64>,
}

/// A key and the value that it held.
#[derive(Debug)]
pub struct MemoryCasToken {
    key: String,
    seen: Option<Vec<u8>>,
}

impl MemoryStore {
    /// Lets `calls` more calls succeed, then fails every call until [`Self::recover`].
    pub fn fail_after(&self, calls: u32) {
        self.calls_until_failure.set(Some(calls));
        self.fails_once.set(false);
    }

    /// Lets `calls` more calls succeed, then fails one call.
    pub fn fail_once_after(&self, calls: u32) {
        self.calls_until_failure.set(Some(calls));
        self.fails_once.set(true);
    }

    /// Ends the failure.
    pub fn recover(&self) {
        self.calls_until_failure.set(None);
    }

    /// Lets other writers change the values just after the next swap.
    pub fn after_next_swap(&self, write: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) + 'static) {
        self.interference
            .replace(Some(Interference(Box::new(write))));
    }

    /// The content at this time.
    #[must_use]
    pub fn snapshot(&self) -> MemorySnapshot {
        MemorySnapshot {
            values: self.values.borrow().clone(),
            counters: self.counters.borrow().clone(),
        }
    }

    /// Sets the content back to an earlier one, as a server does that loses its latest writes.
    pub fn restore(&self, snapshot: &MemorySnapshot) {
        self.values.replace(snapshot.values.clone());
        self.counters.replace(snapshot.counters.clone());
        self.delayed.replace(None);
    }

    fn call(&self) -> Result<(), StoreError> {
        match self.calls_until_failure.get() {
            Some(0) => {
                if self.fails_once.get() {
                    self.recover();
                }
                Err(StoreError("down".into()))
            }
            Some(left) => {
                self.calls_until_failure.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn swap_if_unchanged(&self, token: MemoryCasToken, value: &[u8]) -> bool {
        let mut values = self.values.borrow_mut();
        let is_unchanged = values.get(&token.key) == token.seen.as_ref();
        if is_unchanged {
            values.insert(token.key, value.into());
        }
        is_unchanged
    }
}

impl Store for MemoryStore {
    type CasToken = MemoryCasToken;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.call()?;
        Ok(self.values.borrow().get(key).cloned())
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.call()?;
        self.values.borrow_mut().insert(key.into(), value.into());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call()?;
        self.values.borrow_mut().remove(key);
        self.counters.borrow_mut().remove(key);
        Ok(())
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.call()?;
        Ok(self.values.borrow().contains_key(key))
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        self.call()?;
        let mut counters = self.counters.borrow_mut();
        let counter = counters.entry(key.into()).or_default();
        *counter += delta;
        Ok(*counter)
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        self.call()?;
        Ok(self.values.borrow().keys().cloned().collect())
    }

    async fn get_for_swap(
        &self,
        key: &str,
    ) -> Result<(Option<Vec<u8>>, MemoryCasToken), StoreError> {
        let seen = self.get(key).await?;
        let token = MemoryCasToken {
            key: key.into(),
            seen: seen.clone(),
        };
        Ok((seen, token))
    }

    async fn compare_and_swap(
        &self,
        token: MemoryCasToken,
        value: &[u8],
    ) -> Result<SwapOutcome, StoreError> {
        self.call()?;
        if self.rejects_swaps.get() {
            return Err(StoreError("no permission".into()));
        }
        if self.delays_next_swap.take() {
            self.delayed.replace(Some((token, value.into())));
            return Err(StoreError("slow".into()));
        }
        if let Some((token, value)) = self.delayed.take() {
            self.swap_if_unchanged(token, &value);
        }
        let is_swapped = self.swap_if_unchanged(token, value);
        if let Some(interference) = self.interference.take() {
            (interference.0)(&mut self.values.borrow_mut());
        }
        match is_swapped && !self.denies_swaps.get() {
            true => Ok(SwapOutcome::Written),
            false => Ok(SwapOutcome::Conflict),
        }
    }
}
