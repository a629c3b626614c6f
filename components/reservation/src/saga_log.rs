//! The open sagas, one key each in the outbox store.
//!
//! The entry of a saga is written before its first step and deleted after its last one, so a saga whose
//! process dies in between is found by the sweep. The value is the time of writing, in milliseconds since
//! 1970; the sweep takes over an entry only at a certain age.

use events::ReservationId;
use kit::{Platform, Store, StoreError, outbox};
use std::time::Duration;

/// The key prefix of open sagas in the outbox store.
const PREFIX: &str = "saga/";

/// The open sagas of a platform.
pub struct SagaLog<'a, P> {
    platform: &'a P,
}

impl<'a, P: Platform> SagaLog<'a, P> {
    /// The open sagas in the outbox store of `platform`.
    pub fn new(platform: &'a P) -> Self {
        Self { platform }
    }

    /// Records that the saga of a reservation is open, and restarts its age.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the saga must then not take its next step.
    pub async fn open(&self, id: ReservationId) -> Result<(), StoreError> {
        let now = self.platform.now().as_millis().to_string();
        self.platform.outbox().set(&key(id), now.as_bytes()).await
    }

    /// Deletes the entry of a finished saga. A failure is ignored: the sweep then finds that no step is left
    /// and deletes the entry.
    pub async fn close(&self, id: ReservationId) {
        let _ = self.platform.outbox().delete(&key(id)).await;
    }

    /// How long ago the saga was opened last; `None` when it is closed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn age(&self, id: ReservationId) -> Result<Option<Duration>, StoreError> {
        outbox::age(self.platform, &key(id)).await
    }

    /// The reservations whose sagas are open.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn open_sagas(&self) -> Result<Vec<ReservationId>, StoreError> {
        let keys = self.platform.outbox().keys().await?;
        Ok(keys.iter().filter_map(|key| parse(key)).collect())
    }
}

fn key(id: ReservationId) -> String {
    format!("{PREFIX}{id}")
}

fn parse(key: &str) -> Option<ReservationId> {
    key.strip_prefix(PREFIX)?.parse().ok()
}
