//! A fake of [`Store`]: the in-memory store of kit with scheduling points, lost responses, delayed effects, and the
//! mutations that a store can have.

use super::poll_ready;
use crate::{context::ContextId, fault_profile::CallOutcome, mutation::Mutation, world::World};
use events::Timestamp;
use kit::{
    Store, StoreError, SwapOutcome,
    memory::{MemoryCasToken, MemorySnapshot, MemoryStore},
};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

/// A delayed effect happens within this time, in milliseconds: the deadline of the whole call is five seconds.
const MAX_DELAY_MS: usize = 4_000;

/// The key of the ages of recorded work.
const SIGHTINGS: &str = "sightings";
/// The key of the clock that the hosts share.
const CLOCK: &str = "clock";

/// One store of one context.
#[derive(Clone)]
pub struct FakeStore {
    world: Rc<World>,
    context: ContextId,
    is_outbox: bool,
    values: Rc<MemoryStore>,
    /// The values that the latest writes replaced, for a store that loses writes in a crash.
    unflushed: Rc<RefCell<Vec<Overwritten>>>,
}

/// A key and its value before a write.
type Overwritten = (String, Option<Vec<u8>>);

/// The key and the token of a compare-and-swap.
pub struct FakeCasToken {
    key: String,
    token: MemoryCasToken,
}

/// A call that changes a value.
enum Change {
    Set(Vec<u8>),
    Delete,
    Swap(MemoryCasToken, Vec<u8>),
}

impl FakeStore {
    /// An empty store.
    pub fn new(world: &Rc<World>, context: ContextId, is_outbox: bool) -> Self {
        let values = MemoryStore::default();
        values.denies_swaps.set(world.faults.misreports_swaps);
        Self {
            world: Rc::clone(world),
            context,
            is_outbox,
            values: Rc::new(values),
            unflushed: Rc::default(),
        }
    }

    /// All keys, without a scheduling point.
    pub fn all_keys(&self) -> Vec<String> {
        poll_ready(self.values.keys()).unwrap_or_default()
    }

    /// The content at this time.
    pub fn snapshot(&self) -> MemorySnapshot {
        self.values.snapshot()
    }

    /// Sets the content back.
    pub fn restore(&self, snapshot: &MemorySnapshot) {
        self.values.restore(snapshot);
        self.unflushed.borrow_mut().clear();
    }

    /// Applies a crash of the context: no effect, unless a mutation loses writes.
    pub fn crash(&self) {
        for (key, before) in self.unflushed.take().into_iter().rev() {
            self.world.trace(|| format!("loses its write of {key}"));
            let _ = match &before {
                Some(value) => poll_ready(self.values.set(&key, value)),
                None => poll_ready(self.values.delete(&key)),
            };
        }
    }

    async fn enter(&self, verb: &str, key: &str) -> CallOutcome {
        let name = if self.is_outbox { "outbox" } else { "state" };
        self.world
            .port_call(|| format!("{name}.{verb} {key}"))
            .await;
        if self.world.random.one_in(4) {
            self.unflushed.borrow_mut().clear();
        }
        let outcome = self
            .world
            .faults
            .store_outcome(self.context, &self.world.random);
        if outcome != CallOutcome::Applied {
            self.world.unanswered(|| format!("no reply ({outcome:?})"));
        }
        outcome
    }

    /// A read has no effect, so every fault looks the same to its caller.
    async fn read(&self, verb: &str, key: &str) -> Result<(), StoreError> {
        match self.enter(verb, key).await {
            CallOutcome::Applied => Ok(()),
            _ => Err(no_reply()),
        }
    }

    async fn write(
        &self,
        verb: &str,
        key: &str,
        change: Change,
    ) -> Result<SwapOutcome, StoreError> {
        match self.world.behind_fence(self.enter(verb, key).await) {
            CallOutcome::Applied => self.apply(key, change),
            CallOutcome::Dropped => Err(no_reply()),
            CallOutcome::ReplyLost => {
                let _ = self.apply(key, change);
                Err(no_reply())
            }
            CallOutcome::Delayed => {
                let (store, key) = (self.clone(), key.to_owned());
                self.world.delay(MAX_DELAY_MS, move || {
                    let _ = store.apply(&key, change);
                });
                Err(no_reply())
            }
        }
    }

    fn apply(&self, key: &str, change: Change) -> Result<SwapOutcome, StoreError> {
        if self.loses_write(key, &change) {
            return Ok(SwapOutcome::Written);
        }
        let before = poll_ready(self.values.get(key))?;
        let outcome = match change {
            Change::Set(value) => {
                poll_ready(self.values.set(key, &value))?;
                self.show_oracle(key, &value);
                SwapOutcome::Written
            }
            Change::Delete => {
                poll_ready(self.values.delete(key))?;
                SwapOutcome::Written
            }
            Change::Swap(_, value) if self.overwrites(key) => {
                poll_ready(self.values.set(key, &value))?;
                self.show_oracle(key, &value);
                SwapOutcome::Written
            }
            Change::Swap(token, value) => {
                let outcome = poll_ready(self.values.compare_and_swap(token, &value))?;
                // The store may report a failure although it has written.
                if before.as_ref() != Some(&value)
                    && poll_ready(self.values.get(key))?.as_ref() == Some(&value)
                {
                    self.show_oracle(key, &value);
                }
                outcome
            }
        };
        if self.world.has_mutation(Mutation::PublishesBeforeCommit) && !self.is_outbox {
            self.unflushed.borrow_mut().push((key.to_owned(), before));
        }
        Ok(outcome)
    }

    fn show_oracle(&self, key: &str, value: &[u8]) {
        if !self.is_outbox {
            let mut oracle = self.world.oracle.borrow_mut();
            oracle.record_write(self.context, key, value);
        }
    }

    // --- mutations ---

    fn overwrites(&self, key: &str) -> bool {
        self.world.has_mutation(Mutation::SwapsWithoutComparing) || self.hides_value(key)
    }

    /// Whether a read that precedes a write finds no value.
    fn hides_value(&self, key: &str) -> bool {
        self.world.has_mutation(Mutation::ForgetsSentMessages) && key.starts_with("message/")
    }

    /// Whether a write is reported as done but not executed.
    fn loses_write(&self, key: &str, change: &Change) -> bool {
        let Some(mutation) = self.world.mutation else {
            return false;
        };
        let writes = |text: &str| match change {
            Change::Set(value) | Change::Swap(_, value) => value
                .windows(text.len())
                .any(|part| part == text.as_bytes()),
            Change::Delete => false,
        };
        let is_write = !matches!(change, Change::Delete);
        match mutation {
            Mutation::ApprovesAfterCancel => {
                let saga = key
                    .strip_prefix("saga/")
                    .and_then(|rest| rest.split('/').next());
                let id = saga.and_then(|id| id.parse().ok());
                writes(r#""state":"refused""#)
                    || (is_write && id.is_some_and(|id| self.world.oracle.borrow().is_rejected(id)))
            }
            Mutation::WritesNoIntent => is_write && key.starts_with("intent/"),
            Mutation::RecordsNoGatewayCall => key.starts_with("asked/") || key.starts_with("undo/"),
            Mutation::ForgetsLateRefunds => is_write && key.starts_with("late/"),
            Mutation::ForgetsAges => key == SIGHTINGS,
            Mutation::ForgetsIdempotencyKeys => key.starts_with("idempotency/"),
            _ => false,
        }
    }
}

impl Store for FakeStore {
    type CasToken = FakeCasToken;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("get", key).await?;
        let value = poll_ready(self.values.get(key))?;
        match key == CLOCK && self.world.has_mutation(Mutation::ReadsHostClocks) {
            true => Ok(Some(host_clock(&self.world))),
            false => Ok(value),
        }
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let change = Change::Set(value.to_vec());
        self.write("set", key, change).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.write("delete", key, Change::Delete).await.map(drop)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.read("exists", key).await?;
        Ok(!self.hides_value(key) && poll_ready(self.values.exists(key))?)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        match self.world.behind_fence(self.enter("increment", key).await) {
            CallOutcome::Applied => poll_ready(self.values.increment(key, delta)),
            CallOutcome::Dropped => Err(no_reply()),
            CallOutcome::ReplyLost | CallOutcome::Delayed => {
                let _ = poll_ready(self.values.increment(key, delta));
                Err(no_reply())
            }
        }
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        self.read("keys", "").await?;
        let mut keys = poll_ready(self.values.keys())?;
        keys.retain(|key| {
            let hidden = (self.world.has_mutation(Mutation::SkipsOutboxSweep)
                && key.starts_with("intent/"))
                || (self.world.has_mutation(Mutation::SkipsSagaSweep) && key.starts_with("saga/"));
            !hidden
        });
        Ok(keys)
    }

    async fn get_for_swap(&self, key: &str) -> Result<(Option<Vec<u8>>, FakeCasToken), StoreError> {
        self.read("begin", key).await?;
        let (value, token) = poll_ready(self.values.get_for_swap(key))?;
        let token = FakeCasToken {
            key: key.into(),
            token,
        };
        let value = value.filter(|_| !self.hides_value(key));
        let trusts_clocks = self.world.has_mutation(Mutation::TrustsClocks);
        match value
            .clone()
            .filter(|_| trusts_clocks && key.starts_with("idempotency/"))
        {
            Some(lease) => {
                let now = self.world.host_time();
                Ok((Some(expired_by_the_clock(lease, now)), token))
            }
            None => Ok((value, token)),
        }
    }

    async fn compare_and_swap(
        &self,
        token: FakeCasToken,
        value: &[u8],
    ) -> Result<SwapOutcome, StoreError> {
        let change = Change::Swap(token.token, value.to_vec());
        self.write("swap", &token.key, change).await
    }
}

/// A shared clock that shows the time of the running task's host.
fn host_clock(world: &World) -> Vec<u8> {
    let now = world.host_time();
    let look = json!([{ "host": world.host_name(), "last": now, "seen": now }]);
    look.to_string().into_bytes()
}

/// The lease of a key without its start, if the clock of the host differs from it by more than a second.
fn expired_by_the_clock(value: Vec<u8>, now: u64) -> Vec<u8> {
    let mut record: Value = serde_json::from_slice(&value).unwrap_or_default();
    let at: Option<Timestamp> = serde_json::from_value(record["at"].clone()).ok();
    let is_far = |at: Timestamp| at.as_millis().abs_diff(now) > 1_000;
    if record["answer"].is_null() && at.is_some_and(is_far) {
        record["at"] = "1970-01-01T00:00:00Z".into();
        return record.to_string().into_bytes();
    }
    value
}

fn no_reply() -> StoreError {
    StoreError("no reply".into())
}
