//! The in-memory twin of [`Store`] and [`Platform`], for native tests and the simulation.
//!
//! It assumes of the real thing what the hosts promise: single calls are atomic, a swap succeeds
//! exactly when the value is unchanged, and appended events keep their order. Time stands still
//! until somebody moves it, or looks at a clock that ticks.

use crate::{LogError, Platform, Store, StoreError, SwapOutcome};
use events::{CloudEvent, Timestamp};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

/// A store in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    counters: RefCell<BTreeMap<String, i64>>,
    /// Calls from now until the store stops answering.
    calls_until_failure: Cell<Option<u32>>,
    /// Whether it answers again after one failure.
    fails_once: Cell<bool>,
    /// Reports every swap as refused, also when it was done, as Spin's Redis provider does.
    pub denies_swaps: Cell<bool>,
    /// Leaves the next swap unanswered, and does it only when the next one comes.
    pub delays_next_swap: Cell<bool>,
    delayed: RefCell<Option<(MemoryCasToken, Vec<u8>)>>,
}

/// What the twin of `begin` remembers.
#[derive(Debug)]
pub struct MemoryCasToken {
    key: String,
    seen: Option<Vec<u8>>,
}

/// A platform whose time, stores and log are plain values.
#[derive(Debug, Default)]
pub struct MemoryPlatform {
    /// The store of the aggregates.
    pub state: MemoryStore,
    /// The store of what is to be done.
    pub outbox: MemoryStore,
    /// What was appended, in order: stream and event.
    pub log: RefCell<Vec<(String, CloudEvent)>>,
    /// Whether the log refuses to answer.
    pub log_is_down: Cell<bool>,
    /// Whether a millisecond goes by with every look at the clock.
    pub clock_ticks: Cell<bool>,
    millis: Cell<u64>,
    last_number: Cell<u64>,
}

impl MemoryStore {
    /// Answers `calls` more calls, then fails every one until [`Self::recover`].
    pub fn fail_after(&self, calls: u32) {
        self.calls_until_failure.set(Some(calls));
        self.fails_once.set(false);
    }

    /// Answers `calls` more calls, then fails one.
    pub fn fail_once_after(&self, calls: u32) {
        self.calls_until_failure.set(Some(calls));
        self.fails_once.set(true);
    }

    /// Answers again.
    pub fn recover(&self) {
        self.calls_until_failure.set(None);
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
        if self.delays_next_swap.take() {
            self.delayed.replace(Some((token, value.into())));
            return Err(StoreError("slow".into()));
        }
        if let Some((token, value)) = self.delayed.take() {
            self.swap_if_unchanged(token, &value);
        }
        match self.swap_if_unchanged(token, value) && !self.denies_swaps.get() {
            true => Ok(SwapOutcome::Written),
            false => Ok(SwapOutcome::Conflict),
        }
    }
}

impl MemoryPlatform {
    /// A platform whose clock shows a fixed moment.
    #[must_use]
    pub fn new() -> Self {
        let platform = Self::default();
        platform.advance(Duration::from_secs(1_700_000_000));
        platform
    }

    /// Lets time go by.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.millis.set(self.millis.get().saturating_add(millis));
    }

    /// A number that was not last_number before.
    pub fn next_number(&self) -> u64 {
        self.last_number.set(self.last_number.get() + 1);
        self.last_number.get()
    }

    /// The types of the events in the log, in order.
    #[must_use]
    pub fn published_types(&self) -> Vec<String> {
        let name = |(_, event): &(String, CloudEvent)| {
            let json = serde_json::to_value(&event.event).unwrap_or_default();
            json["type"].as_str().unwrap_or_default().to_owned()
        };
        self.log.borrow().iter().map(name).collect()
    }
}

impl Platform for MemoryPlatform {
    type Store = MemoryStore;

    fn state(&self) -> &MemoryStore {
        &self.state
    }

    fn outbox(&self) -> &MemoryStore {
        &self.outbox
    }

    async fn append(&self, stream: &str, event: &str) -> Result<(), LogError> {
        if self.log_is_down.get() {
            return Err(LogError("down".into()));
        }
        let event =
            CloudEvent::parse(event.as_bytes()).map_err(|error| LogError(error.to_string()))?;
        self.log.borrow_mut().push((stream.into(), event));
        Ok(())
    }

    fn now(&self) -> Timestamp {
        if self.clock_ticks.get() {
            self.advance(Duration::from_millis(1));
        }
        Timestamp::from_millis(self.millis.get())
    }

    fn unique_id(&self) -> String {
        format!("{:032x}", self.next_number())
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}
