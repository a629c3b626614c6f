//! What is still to be settled with a gateway that can be cut off, noted in the small outbox store.
//!
//! Each note is written before the step it guards and taken away when that step's outcome is
//! recorded, so that whatever a crash leaves behind is found by the sweep.

use events::{ReservationId, Timestamp};
use kit::{Origin, Platform, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing to settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Todo {
    /// The gateway is being asked to take money, and what it says is not recorded yet.
    Asked {
        /// For which reservation.
        reservation: ReservationId,
        /// By which approval. Each has a note of its own, so that none takes away what guards another.
        approval: String,
    },
    /// The gateway is to hold no money of this reservation, and has not confirmed it yet.
    Undo(ReservationId),
}

/// A note that was read.
#[derive(Debug)]
pub struct Note {
    /// How long ago it was written.
    pub age: Duration,
    /// On whose behalf.
    pub origin: Origin,
}

/// The stored form of a note.
#[derive(Serialize, Deserialize)]
struct Record {
    since: u64,
    correlation: String,
    causation: String,
    traceparent: String,
}

const ASKED: &str = "asked/";
const UNDO: &str = "undo/";

/// All that is noted.
pub async fn all<P: Platform>(platform: &P) -> Result<Vec<Todo>, StoreError> {
    let keys = platform.outbox().keys().await?;
    Ok(keys.iter().filter_map(|key| parse(key)).collect())
}

impl Todo {
    /// What one approval of a reservation writes before it asks the gateway.
    pub fn asked<P: Platform>(platform: &P, reservation: ReservationId) -> Self {
        let approval = format!("/{}", platform.unique_id());
        Self::Asked {
            reservation,
            approval,
        }
    }

    /// Writes the note, or makes it new.
    pub async fn note<P: Platform>(&self, platform: &P, origin: &Origin) -> Result<(), StoreError> {
        let record = Record {
            since: platform.now().as_millis(),
            correlation: origin.correlation_id.clone(),
            causation: origin.causation_id.clone(),
            traceparent: origin.traceparent.clone(),
        };
        let value = serde_json::to_vec(&record).map_err(|e| StoreError(e.to_string()))?;
        platform.outbox().set(&self.key(), &value).await
    }

    /// Reads the note; `None` when there is none. One that cannot be read counts as old, so that
    /// what it guards is settled all the same.
    pub async fn read<P: Platform>(&self, platform: &P) -> Result<Option<Note>, StoreError> {
        let Some(value) = platform.outbox().get(&self.key()).await? else {
            return Ok(None);
        };
        let Ok(record) = serde_json::from_slice::<Record>(&value) else {
            return Ok(Some(Note {
                age: Duration::MAX,
                origin: Origin::new(&platform.unique_id()),
            }));
        };
        Ok(Some(Note {
            age: platform.now().since(Timestamp::from_millis(record.since)),
            origin: Origin {
                correlation_id: record.correlation,
                causation_id: record.causation,
                traceparent: record.traceparent,
            },
        }))
    }

    /// Whether there is a note.
    pub async fn is_noted<P: Platform>(&self, platform: &P) -> Result<bool, StoreError> {
        platform.outbox().exists(&self.key()).await
    }

    /// Takes the note away. If that fails, the sweep finds that there is nothing left to do.
    pub async fn done<P: Platform>(&self, platform: &P) {
        let _ = platform.outbox().delete(&self.key()).await;
    }

    fn key(&self) -> String {
        match self {
            Self::Asked {
                reservation,
                approval,
            } => format!("{ASKED}{reservation}{approval}"),
            Self::Undo(reservation) => format!("{UNDO}{reservation}"),
        }
    }
}

fn parse(key: &str) -> Option<Todo> {
    if let Some(reservation) = key.strip_prefix(UNDO) {
        return Some(Todo::Undo(reservation.parse().ok()?));
    }
    let asked = key.strip_prefix(ASKED)?;
    // An older version named no approval.
    let (reservation, approval) = asked.split_at(asked.find('/').unwrap_or(asked.len()));
    Some(Todo::Asked {
        reservation: reservation.parse().ok()?,
        approval: approval.to_owned(),
    })
}
