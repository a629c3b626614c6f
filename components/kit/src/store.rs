//! The key-value store port: `wasi:keyvalue` as the contexts need it.
//!
//! A key holds either a value or a counter. Only [`Store::increment`] reads and writes a counter,
//! because hosts store counters in different formats. Tests on the real hosts check what the in-memory
//! fake in [`crate::memory`] assumes of them.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

/// The store failed or did not answer in time. Whether a write took place is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key-value store does not answer: {0}")]
pub struct StoreError(pub String);

/// The outcome of a compare-and-swap, as the provider reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapOutcome {
    /// The value was written.
    Written,
    /// The provider reports that the value had changed since it was read.
    ///
    /// This is not reliable: Spin's Redis provider always reports a conflict, also when it wrote the
    /// value. A caller must read the value back and look for its own commit id or token.
    Conflict,
}

/// One labelled key-value store of a context.
///
/// Every call is atomic on its own, and a write is visible to every later call of every instance. An
/// implementation must bound the time of each call; a failure may leave a write in effect or let it
/// take effect later, until the caller's deadline.
pub trait Store {
    /// The value of a key as it was read, for the compare-and-swap that follows.
    type CasToken;

    /// Returns the value of `key`; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// The store failed.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Sets `key` to `value`, and replaces any value it had.
    ///
    /// # Errors
    ///
    /// The store failed; the value may be written all the same.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Deletes the value or the counter of `key`. An absent key is no error.
    ///
    /// # Errors
    ///
    /// The store failed; the key may be deleted all the same.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Returns whether `key` holds a value. Not for counters.
    ///
    /// # Errors
    ///
    /// The store failed.
    async fn exists(&self, key: &str) -> Result<bool, StoreError>;

    /// Adds `delta` to the counter `key` and returns the new count. An absent counter is 0; a `delta` of 0
    /// reads the counter. No two calls with the same `delta` of 1 return the same count.
    ///
    /// # Errors
    ///
    /// The store failed; the counter may be incremented all the same.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError>;

    /// Returns every key that holds a value, in any order. The time grows with the size of the store:
    /// only for sweeps of small stores, never on the path of a request.
    ///
    /// # Errors
    ///
    /// The store failed.
    async fn keys(&self) -> Result<Vec<String>, StoreError>;

    /// Returns the value of `key`, and the token for a compare-and-swap of this value.
    ///
    /// # Errors
    ///
    /// The store failed.
    async fn get_for_swap(
        &self,
        key: &str,
    ) -> Result<(Option<Vec<u8>>, Self::CasToken), StoreError>;

    /// Writes `value` if the key of `token` still holds the value that [`Self::get_for_swap`] returned.
    ///
    /// Two swaps that create the same absent key may both succeed on some providers; [`crate::claim`]
    /// prevents that.
    ///
    /// # Errors
    ///
    /// The store failed; the value may be written all the same, now or later.
    async fn compare_and_swap(
        &self,
        token: Self::CasToken,
        value: &[u8],
    ) -> Result<SwapOutcome, StoreError>;
}
