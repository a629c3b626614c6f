//! The attempts of one commit: its id, its intent in the outbox store, its swaps and the time between
//! them.

use crate::{
    outbox,
    platform::Platform,
    store::{Store, StoreError, SwapOutcome},
    stored::StoredAggregate,
};
use events::Timestamp;
use std::time::Duration;

/// Number of swaps in a row that may fail without an answer. More of them are an outage, not contention.
const MAX_UNANSWERED: u32 = 3;

/// One commit and what its attempts have left in the stores.
pub(super) struct CommitAttempts<'a, P> {
    platform: &'a P,
    /// Identifies the commit in the stored value.
    pub(super) id: String,
    /// Key of the intent in the outbox store.
    pub(super) intent: String,
    is_intent_stored: bool,
    /// Whether a swap failed without an answer. It may still take effect later.
    is_swap_unanswered: bool,
    /// Number of swaps without an answer since the last one with an answer.
    unanswered: u32,
    /// The version that the last swap would have written, if the swap was not confirmed.
    unconfirmed_version: Option<u64>,
}

impl<'a, P: Platform> CommitAttempts<'a, P> {
    pub(super) fn new(platform: &'a P, key: &str) -> Self {
        let id = platform.unique_id();
        Self {
            platform,
            intent: outbox::intent_key(key, &id),
            id,
            is_intent_stored: false,
            is_swap_unanswered: false,
            unanswered: 0,
            unconfirmed_version: None,
        }
    }

    /// Stores the intent before the first swap that needs it. `time` is the time of the change.
    pub(super) async fn store_intent(&mut self, time: Timestamp) -> Result<(), StoreError> {
        if !self.is_intent_stored {
            let time = time.as_millis().to_string();
            let outbox = self.platform.outbox();
            outbox.set(&self.intent, time.as_bytes()).await?;
            self.is_intent_stored = true;
        }
        Ok(())
    }

    /// Deletes the intent of a commit that is given up; without it, the outbox sweep would, later. The
    /// intent stays if an unanswered swap may still take effect.
    pub(super) async fn withdraw_intent(&self) {
        if self.is_intent_stored && !self.is_swap_unanswered {
            let _ = self.platform.outbox().delete(&self.intent).await;
        }
    }

    /// Swaps, and returns whether the provider confirms it. Without a confirmation only reading the
    /// value back shows whether the swap took place.
    ///
    /// # Errors
    ///
    /// The error of the store, after [`MAX_UNANSWERED`] swaps in a row without an answer.
    pub(super) async fn swap(
        &mut self,
        token: <P::Store as Store>::CasToken,
        value: &[u8],
        version: u64,
    ) -> Result<bool, StoreError> {
        self.unconfirmed_version = Some(version);
        match self.platform.state().compare_and_swap(token, value).await {
            Ok(SwapOutcome::Written) => return Ok(true),
            Ok(SwapOutcome::Conflict) => self.unanswered = 0,
            Err(error) => {
                self.is_swap_unanswered = true;
                self.unanswered += 1;
                if self.unanswered == MAX_UNANSWERED {
                    return Err(error);
                }
            }
        }
        Ok(false)
    }

    /// Checks that `stored`, which does not contain this commit, proves that the last swap did not take place.
    ///
    /// # Errors
    ///
    /// The outcome is unknown: so many other commits followed that the value has no trace of this one. The
    /// intent stays, and the sweep publishes the events if the swap took place.
    pub(super) fn ensure_traceable<R>(
        &self,
        stored: Option<&StoredAggregate<R>>,
    ) -> Result<(), StoreError> {
        match (self.unconfirmed_version, stored) {
            (Some(version), Some(stored)) if !stored.has_all_commits_since(version) => Err(
                StoreError("other writers have overwritten the trace of this change".into()),
            ),
            _ => Ok(()),
        }
    }

    /// Waits after the attempt with this number. The first two retries are immediate, for the loser of a
    /// race between two writers; the later ones wait for a random time of 1 to 64 ms at most.
    pub(super) async fn back_off(&self, attempt: u32) {
        if attempt >= 2 {
            let random = u64::from_str_radix(&self.platform.unique_id()[..4], 16).unwrap_or(1);
            let bound = 1 << attempt.min(6);
            let wait = Duration::from_millis(random % bound + 1);
            self.platform.sleep(wait).await;
        }
    }
}
