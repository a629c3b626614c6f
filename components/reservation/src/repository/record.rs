//! The stored form of a reservation. Its JSON is in existing databases: fields may be added with a default, and
//! never renamed.

use crate::domain::{RejectionReason, Reservation, SagaStep, SagaToken, Stage};
use events::{CarId, CustomerId, PaymentId, ReservationId, Timestamp};
use kit::Persistent;
use serde::{Deserialize, Serialize};

/// A reservation as it is stored.
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
    /// The token of the latest saga; empty in the records of an older version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    saga: String,
    /// The customer; absent for what belongs to the company, such as the records of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_id: Option<CustomerId>,
}

/// A step of the saga as it is stored.
#[derive(Serialize, Deserialize)]
struct StepRecord {
    status: String,
    at: Timestamp,
    cause: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
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
            saga: self.saga.as_str().into(),
            customer_id: self.customer.clone(),
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
                    .unwrap_or(RejectionReason::Interrupted),
            },
            _ => Stage::Requested,
        };
        Self {
            id: record.rsv_id,
            car: record.car_id,
            customer: record.customer_id,
            stage,
            steps: record.steps.into_iter().map(SagaStep::from).collect(),
            saga: SagaToken::new(&record.saga),
        }
    }
}

impl From<&SagaStep> for StepRecord {
    fn from(step: &SagaStep) -> Self {
        Self {
            status: step.status.clone(),
            at: step.at,
            cause: step.cause.clone(),
            actor: step.actor.clone(),
        }
    }
}

impl From<StepRecord> for SagaStep {
    fn from(record: StepRecord) -> Self {
        Self {
            status: record.status,
            at: record.at,
            cause: record.cause,
            actor: record.actor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn round_trip(stored: &Value) -> Value {
        let record: ReservationRecord = serde_json::from_value(stored.clone()).unwrap();
        serde_json::to_value(Reservation::from_record(record).to_record()).unwrap()
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let step = json!({"status": "reqReserve", "at": "2026-11-23T18:22:00.783Z", "cause": "c"});
        for stored in [
            json!({"rsvId": 1, "carId": 2, "status": "reqReserve", "steps": [step]}),
            json!({"rsvId": 1, "carId": 2, "payId": 3, "status": "reqCancel", "steps": [], "saga": "t"}),
            json!({"rsvId": 1, "carId": 2, "status": "rejected", "reason": "unknown-car", "steps": []}),
        ] {
            assert_eq!(round_trip(&stored), stored);
        }
    }
}
