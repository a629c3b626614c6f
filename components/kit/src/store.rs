//! The key-value store as the contexts need it: `wasi:keyvalue` without its traps.
//!
//! What the twin in [`crate::memory`] assumes of the real thing is checked once against the real
//! hosts. Counters are only ever touched by [`Store::increment`]: two hosts store them differently.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

/// Why the store gave no answer. Whether a write took place is then unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key-value store does not answer: {0}")]
pub struct StoreError(pub String);

/// The outcome of a compare-and-swap, as the provider reports it.
///
/// `Conflict` may be a lie: Spin's Redis provider always says so, also when it wrote. Only reading
/// back tells, which is why every stored value carries its commit id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapOutcome {
    /// The value was written.
    Written,
    /// The provider says that the value had changed meanwhile.
    Conflict,
}

/// One labelled store.
pub trait Store {
    /// Remembers what a key held, for the swap that follows.
    type CasToken;

    /// The value of `key`, if any.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Sets `key` to `value`, whatever it held.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;
    /// Forgets `key`; no error when it was absent.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;
    /// Whether `key` holds a value.
    async fn exists(&self, key: &str) -> Result<bool, StoreError>;
    /// Adds `delta` to the counter `key` (an absent one counts as 0) and returns the new count.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError>;
    /// Every key of the store: for sweeps of small stores only, never in a request's path.
    async fn keys(&self) -> Result<Vec<String>, StoreError>;
    /// Reads `key` with the intention to swap it.
    async fn get_for_swap(
        &self,
        key: &str,
    ) -> Result<(Option<Vec<u8>>, Self::CasToken), StoreError>;
    /// Writes `value` if the key still holds what `begin` saw.
    async fn compare_and_swap(
        &self,
        token: Self::CasToken,
        value: &[u8],
    ) -> Result<SwapOutcome, StoreError>;
}
