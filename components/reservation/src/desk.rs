//! The reservations in their store: the stored form, the keys, and the to-do list of sagas under way.

use crate::domain::{Reason, Refusal, Reservation, Stage, Step, Transition};
use events::{CarId, PaymentId, RESERVATION_STREAM, ReservationId, Timestamp};
use kit::{
    Aggregates, ChangeError, Decision, Origin, Persistent, Platform, Store, StoreError, Versioned,
    outbox,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The key prefix of sagas under way in the outbox store.
const SAGA: &str = "saga/";

/// Where reservations are made: this context's own store, and the contexts it asks.
pub struct Desk<P, C, Y> {
    /// Stores, log and clock.
    pub platform: P,
    /// The car context.
    pub cars: C,
    /// The payment context.
    pub payments: Y,
}

impl<P: Platform, C, Y> Desk<P, C, Y> {
    /// Reads one reservation.
    ///
    /// # Errors
    ///
    /// The store's silence, or a value that cannot be read.
    pub async fn find<R>(
        &self,
        id: ReservationId,
    ) -> Result<Option<Versioned<Reservation>>, ChangeError<R>> {
        self.reservations().load(&key(id)).await
    }

    /// Makes a reservation under a number that is ours, or finds the one that is there.
    ///
    /// # Errors
    ///
    /// What the store cannot do.
    pub async fn create<R>(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
    ) -> Result<Versioned<Reservation>, ChangeError<R>> {
        let at = self.platform.now();
        let created = self
            .reservations()
            .with_time(at)
            .change(&key(id), origin, |existing| {
                if existing.is_some() {
                    return Ok(Decision::Keep(()));
                }
                let (reservation, event) = Reservation::request(id, car, at, &origin.causation_id);
                Ok(Decision::Commit(reservation, vec![event], ()))
            })
            .await?;
        created
            .current
            .ok_or_else(|| ChangeError::Contended(key(id)))
    }

    /// Takes one step of a reservation and announces it; returns the reservation as it then is. The
    /// step is told the moment at which it happens, which is the one that the announcement names.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`], what `step` refuses, and what the store cannot do.
    pub async fn step<R: From<Refusal>>(
        &self,
        origin: &Origin,
        id: ReservationId,
        mut step: impl FnMut(&Versioned<Reservation>, Timestamp) -> Result<Transition, R>,
    ) -> Result<Versioned<Reservation>, ChangeError<R>> {
        let at = self.platform.now();
        let changed = self
            .reservations()
            .with_time(at)
            .change(&key(id), origin, |reservation| {
                let reservation = reservation.ok_or(Refusal::Unknown(id))?;
                Ok(match step(reservation, at)? {
                    Some((reservation, event)) => Decision::Commit(reservation, vec![event], ()),
                    None => Decision::Keep(()),
                })
            })
            .await?;
        changed
            .current
            .ok_or_else(|| ChangeError::Refused(Refusal::Unknown(id).into()))
    }

    /// Notes that a saga is under way, so that the sweep ends it if nobody else does.
    ///
    /// # Errors
    ///
    /// The store's silence; the saga must then not begin.
    pub async fn begin(&self, id: ReservationId) -> Result<(), StoreError> {
        let now = self.platform.now().as_millis().to_string();
        self.platform.outbox().set(&saga(id), now.as_bytes()).await
    }

    /// How long ago a saga was noted to be under way; `None` when it has come to rest.
    ///
    /// # Errors
    ///
    /// The store's silence.
    pub async fn age(&self, id: ReservationId) -> Result<Option<Duration>, StoreError> {
        outbox::age(&self.platform, &saga(id)).await
    }

    /// Notes that a saga has come to rest. Should this fail, the sweep finds nothing left to do.
    pub async fn end(&self, id: ReservationId) {
        let _ = self.platform.outbox().delete(&saga(id)).await;
    }

    fn reservations(&self) -> Aggregates<'_, P> {
        Aggregates::new(&self.platform, RESERVATION_STREAM, "socar/reservation")
    }
}

fn key(id: ReservationId) -> String {
    format!("reservation/{id}")
}

/// The outbox key of the saga of a reservation.
fn saga(id: ReservationId) -> String {
    format!("{SAGA}{id}")
}

/// The reservation whose saga an outbox key notes.
pub(crate) fn of_saga(key: &str) -> Option<ReservationId> {
    key.strip_prefix(SAGA)?.parse().ok()
}

/// How a reservation is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationRecord {
    rsv_id: ReservationId,
    car_id: CarId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pay_id: Option<PaymentId>,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    steps: Vec<StepRecord>,
}

#[derive(Serialize, Deserialize)]
struct StepRecord {
    status: String,
    at: Timestamp,
    cause: String,
}

impl Persistent for Reservation {
    type Record = ReservationRecord;

    fn to_record(&self) -> ReservationRecord {
        ReservationRecord {
            rsv_id: self.id,
            car_id: self.car,
            pay_id: self.stage.payment(),
            status: self.stage.as_str().into(),
            reason: self.stage.reason().map(|reason| reason.to_string()),
            steps: self.steps.iter().map(StepRecord::from).collect(),
        }
    }

    fn from_record(record: ReservationRecord) -> Self {
        let stage = match (record.status.as_str(), record.pay_id) {
            ("reserved", Some(payment)) => Stage::Reserved { payment },
            ("reqCancel", Some(payment)) => Stage::CancelRequested { payment },
            ("cancelled", Some(payment)) => Stage::Cancelled { payment },
            ("rejected", _) => Stage::Rejected {
                reason: record
                    .reason
                    .and_then(|reason| reason.parse().ok())
                    .unwrap_or(Reason::Interrupted),
            },
            _ => Stage::Requested,
        };
        Self {
            id: record.rsv_id,
            car: record.car_id,
            stage,
            steps: record.steps.into_iter().map(Step::from).collect(),
        }
    }
}

impl From<&Step> for StepRecord {
    fn from(step: &Step) -> Self {
        Self {
            status: step.status.clone(),
            at: step.at,
            cause: step.cause.clone(),
        }
    }
}

impl From<StepRecord> for Step {
    fn from(record: StepRecord) -> Self {
        Self {
            status: record.status,
            at: record.at,
            cause: record.cause,
        }
    }
}
