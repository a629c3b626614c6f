//! The open sagas, one note each in the outbox store.
//!
//! The note of a saga is written before its first step and deleted after its last one, so a saga whose
//! process dies in between is found by the sweep. Each note has a token of its own in its key, and the
//! reservation stores the token of its present saga: whatever ends a saga deletes the note of that saga, and
//! cannot delete the note of another saga of the same reservation that has begun meanwhile.

use crate::domain::SagaToken;
use events::ReservationId;
use kit::{Backlog, BacklogEntry, Platform, Store, StoreError};
use std::time::Duration;

/// The key prefix of open sagas in the outbox store.
pub const SAGA: &str = "saga/";

/// The note of one open saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaNote {
    /// The reservation.
    pub reservation: ReservationId,
    /// Distinguishes the sagas of the reservation.
    pub token: SagaToken,
}

/// The open sagas of a platform.
pub struct SagaLog<'a, P> {
    platform: &'a P,
}

impl SagaNote {
    /// The note of the saga with this token.
    #[must_use]
    pub fn new(reservation: ReservationId, token: SagaToken) -> Self {
        Self { reservation, token }
    }

    fn key(&self) -> String {
        match self.token.as_str() {
            // The notes of an older version have no token.
            "" => format!("{SAGA}{}", self.reservation),
            token => format!("{SAGA}{}/{token}", self.reservation),
        }
    }

    fn parse(rest: &str) -> Option<Self> {
        let (reservation, token) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Self::new(reservation.parse().ok()?, SagaToken::new(token)))
    }
}

impl<'a, P: Platform> SagaLog<'a, P> {
    /// The open sagas in the outbox store of `platform`.
    pub fn new(platform: &'a P) -> Self {
        Self { platform }
    }

    /// Records that a saga of a reservation is open, with a new token.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the saga must then not take its next step.
    pub async fn open(&self, id: ReservationId) -> Result<SagaNote, StoreError> {
        let note = SagaNote::new(id, SagaToken::new(&self.platform.unique_id()));
        self.platform.outbox().set(&note.key(), b"{}").await?;
        Ok(note)
    }

    /// Whether the note of a saga is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn is_open(&self, note: &SagaNote) -> Result<bool, StoreError> {
        self.platform.outbox().exists(&note.key()).await
    }

    /// Deletes the note of a finished saga. A failure is ignored: the sweep then finds that no step is left
    /// and deletes the note.
    pub async fn close(&self, note: &SagaNote) {
        let _ = self.platform.outbox().delete(&note.key()).await;
    }
}

/// The notes in `backlog`, with their ages.
pub fn open_sagas(backlog: &Backlog) -> impl Iterator<Item = (SagaNote, Duration)> {
    let note = |(rest, entry): (&str, &BacklogEntry)| Some((SagaNote::parse(rest)?, entry.age));
    backlog.with_prefix(SAGA).filter_map(note)
}
