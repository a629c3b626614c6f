//! A platform whose stores, log and clock are plain values.

use super::store::MemoryStore;
use crate::platform::{LogError, Platform};
use events::{CloudEvent, Timestamp};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

/// A platform in memory.
#[derive(Debug, Default)]
pub struct MemoryPlatform {
    /// The store of the aggregates.
    pub state: MemoryStore,
    /// The store of unfinished work.
    pub outbox: MemoryStore,
    /// The appended events with their streams, in order.
    pub log: RefCell<Vec<(String, CloudEvent)>>,
    /// Whether every append fails.
    pub log_is_down: Cell<bool>,
    /// Whether every reading of the clock advances it by one millisecond.
    pub clock_ticks: Cell<bool>,
    /// The variables of the application.
    pub variables: RefCell<BTreeMap<&'static str, String>>,
    /// The name of the host.
    pub host: RefCell<String>,
    millis: Cell<u64>,
    last_number: Cell<u64>,
}

impl MemoryPlatform {
    /// A platform whose clock shows a fixed time.
    #[must_use]
    pub fn new() -> Self {
        let platform = Self::default();
        platform.advance(Duration::from_secs(1_700_000_000));
        platform
    }

    /// Advances the clock.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.millis.set(self.millis.get().saturating_add(millis));
    }

    /// Sets the clock back.
    pub fn set_back(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.millis.set(self.millis.get().saturating_sub(millis));
    }

    /// A number that was not returned before, from 1.
    pub fn next_number(&self) -> u64 {
        self.last_number.set(self.last_number.get() + 1);
        self.last_number.get()
    }

    /// The types of the appended events, in order.
    #[must_use]
    pub fn published_types(&self) -> Vec<&'static str> {
        let log = self.log.borrow();
        log.iter()
            .map(|(_, event)| event.event.type_name())
            .collect()
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

    fn host(&self) -> String {
        self.host.borrow().clone()
    }

    fn unique_id(&self) -> String {
        format!("{:032x}", self.next_number())
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    async fn variable(&self, name: &str) -> Option<String> {
        self.variables.borrow().get(name).cloned()
    }
}
