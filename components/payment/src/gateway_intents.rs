//! Intents to call a remote gateway, one key each in the outbox store.
//!
//! An intent is written before the call that it announces and deleted once the outcome of that call is
//! recorded. A call that a crash interrupts therefore leaves its intent behind, and the sweep settles it.

use crate::domain::GatewayId;
use events::ReservationId;
use kit::{Backlog, BacklogEntry, Origin, Platform, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The key prefix of approval intents.
pub const APPROVAL: &str = "asked/";
/// The key prefix of refund intents.
pub const REFUND: &str = "undo/";

/// A gateway call whose outcome is not recorded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayIntent {
    /// The gateway is asked to take money.
    Approval {
        /// For which reservation.
        reservation: ReservationId,
        /// The unique suffix of this attempt. Each attempt has an intent of its own, so that an attempt that
        /// ends cannot delete the intent of another.
        attempt: String,
        /// The gateway; `None` for an intent of an older version.
        gateway: Option<GatewayId>,
    },
    /// The gateway is asked to return all money of a reservation. The payment knows which gateway.
    Refund(ReservationId),
}

/// An intent that was read from the store.
#[derive(Debug)]
pub struct StoredIntent {
    /// The intent.
    pub intent: GatewayIntent,
    /// For how long sweeps have seen it.
    pub age: Duration,
    /// The request or event that caused it.
    pub origin: Origin,
}

/// The stored form of an intent. Older versions also stored its time.
#[derive(Serialize, Deserialize)]
struct IntentRecord {
    correlation: String,
    causation: String,
    traceparent: String,
    /// The gateway of an approval; absent in the intents of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
}

/// The intents in `backlog`. An intent whose origin cannot be read gets a new one, so that its call is settled all
/// the same.
pub fn all<P: Platform>(platform: &P, backlog: &Backlog) -> Vec<StoredIntent> {
    let stored = |(_, entry): (&str, &BacklogEntry)| {
        let record = serde_json::from_slice::<IntentRecord>(&entry.value).ok();
        let gateway = record.as_ref().and_then(|record| record.gateway.clone());
        let intent = parse(&entry.key, gateway.map(GatewayId::stored))?;
        let origin = record.map_or_else(
            || Origin::new(&platform.unique_id()),
            |record| Origin {
                correlation_id: record.correlation,
                causation_id: record.causation,
                traceparent: record.traceparent,
                actor: None,
            },
        );
        let age = entry.age;
        Some(StoredIntent {
            intent,
            age,
            origin,
        })
    };
    backlog.with_prefix("").filter_map(stored).collect()
}

impl GatewayIntent {
    /// The intent of a new approval attempt at a gateway.
    pub fn approval<P: Platform>(
        platform: &P,
        reservation: ReservationId,
        gateway: Option<GatewayId>,
    ) -> Self {
        Self::Approval {
            reservation,
            gateway,
            attempt: format!("/{}", platform.unique_id()),
        }
    }

    /// Stores the intent, also when it is stored already.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the gateway must then not be called.
    pub async fn save<P: Platform>(&self, platform: &P, origin: &Origin) -> Result<(), StoreError> {
        let record = IntentRecord {
            correlation: origin.correlation_id.clone(),
            causation: origin.causation_id.clone(),
            traceparent: origin.traceparent.clone(),
            gateway: match self {
                Self::Approval { gateway, .. } => {
                    gateway.as_ref().map(|gateway| gateway.as_str().to_owned())
                }
                Self::Refund(_) => None,
            },
        };
        let value = serde_json::to_vec(&record).map_err(|e| StoreError(e.to_string()))?;
        platform.outbox().set(&self.key(), &value).await
    }

    /// Whether the intent is stored.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn is_stored<P: Platform>(&self, platform: &P) -> Result<bool, StoreError> {
        platform.outbox().exists(&self.key()).await
    }

    /// Deletes the intent. A failure is ignored: the sweep then finds that nothing is left to settle.
    pub async fn delete<P: Platform>(&self, platform: &P) {
        let _ = platform.outbox().delete(&self.key()).await;
    }

    fn key(&self) -> String {
        match self {
            Self::Approval {
                reservation,
                attempt,
                ..
            } => format!("{APPROVAL}{reservation}{attempt}"),
            Self::Refund(reservation) => format!("{REFUND}{reservation}"),
        }
    }
}

fn parse(key: &str, gateway: Option<GatewayId>) -> Option<GatewayIntent> {
    if let Some(reservation) = key.strip_prefix(REFUND) {
        return Some(GatewayIntent::Refund(reservation.parse().ok()?));
    }
    let approval = key.strip_prefix(APPROVAL)?;
    // Keys of an older version have no attempt.
    let (reservation, attempt) = approval.split_at(approval.find('/').unwrap_or(approval.len()));
    Some(GatewayIntent::Approval {
        reservation: reservation.parse().ok()?,
        attempt: attempt.to_owned(),
        gateway,
    })
}
