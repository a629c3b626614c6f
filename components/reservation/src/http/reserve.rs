//! `POST /reservations`, with and without an Idempotency-Key.

use super::Call;
use crate::{
    commands::{ReserveOutcome, reserve},
    domain::{RejectionReason, Reservation, Stage},
    ports::{Cars, Payments},
    queries,
    recovery::{RecoveryOutcome, recover},
};
use ::http::StatusCode;
use events::{CarId, ReservationId};
use kit::{
    Platform,
    http::{Problem, Response, etag, hal, json::Fields},
    idempotency::{Acquisition, IdempotencyKey, Lease},
    numbering,
};
use serde_json::{Value, json};
use std::time::Duration;

impl<P: Platform, C: Cars, Y: Payments> Call<'_, P, C, Y> {
    pub(super) async fn reserve(&self) -> Result<Response, Problem> {
        let car = self.car()?;
        let platform = &self.ports.platform;
        let Some(key) = IdempotencyKey::from_request(&self.request)? else {
            let number = numbering::allocate(platform).await?;
            return self.attempt(number, car).await;
        };
        let acquisition = key.acquire(platform, async || numbering::allocate(platform).await);
        let (lease, answer) = match acquisition.await? {
            Acquisition::Replay(response) => return Ok(response),
            Acquisition::First(lease) => {
                let answer = self.attempt(lease.number, car).await;
                (lease, answer)
            }
            Acquisition::Resume(mut lease) => {
                let answer = self.resume(&mut lease, car).await;
                (lease, answer)
            }
        };
        let response = answer.unwrap_or_else(|problem| problem.into_response("/reservations"));
        lease.complete(platform, &response).await?;
        Ok(response)
    }

    async fn attempt(&self, number: u64, car: CarId) -> Result<Response, Problem> {
        let reserved = reserve(self.ports, &self.origin, ReservationId(number), car).await?;
        self.tell(&reserved)
    }

    /// The first attempt died, or could not say how it ended. What it left is brought to an end; if
    /// that end is nobody's decision, the customer gets a new attempt.
    async fn resume(&self, lease: &mut Lease, car: CarId) -> Result<Response, Problem> {
        let id = ReservationId(lease.number);
        if self
            .ports
            .reservations()
            .find::<Problem>(id)
            .await?
            .is_none()
        {
            // What is noted of an old number is being forgotten: nothing may begin under it.
            if !lease.is_fresh(&self.ports.platform) {
                self.renumber(lease).await?;
            }
            return self.attempt(lease.number, car).await;
        }
        let age = self.ports.sagas().age(id).await?.unwrap_or(Duration::MAX);
        if recover(self.ports, id, age).await? == RecoveryOutcome::StillOpen {
            return Err(Problem::unavailable(
                "the first attempt cannot be resolved at this moment; repeat the request",
                1,
            ));
        }
        let reservation = queries::reservation(self.ports, id).await?;
        let reason = reservation.state.stage.reason();
        if reason.is_some_and(RejectionReason::is_retryable) {
            self.renumber(lease).await?;
            return self.attempt(lease.number, car).await;
        }
        self.tell(&ReserveOutcome {
            reservation,
            retry_after: None,
        })
    }

    async fn renumber(&self, lease: &mut Lease) -> Result<(), Problem> {
        let platform = &self.ports.platform;
        let number = numbering::allocate(platform).await?;
        lease.renumber(platform, number).await
    }

    fn tell(&self, reserved: &ReserveOutcome) -> Result<Response, Problem> {
        let reservation = &reserved.reservation;
        match reservation.state.stage {
            Stage::Rejected { reason } => {
                Err(rejection(&reservation.state, reason, reserved.retry_after))
            }
            _ => {
                let created = hal::created(&self.item(&reservation.state));
                Ok(etag::tagged(created, reservation.version))
            }
        }
    }

    fn car(&self) -> Result<CarId, Problem> {
        let mut fields = Fields::from_request(&self.request)?;
        fields.ignore("_links");
        fields.ignore_nulls(&["status"]);
        fields.read_only("rsvId", &Value::Null, "is given by the platform");
        fields.read_only("payId", &Value::Null, "is given by the platform");
        fields.read_only(
            "status",
            &json!("reqReserve"),
            "must be reqReserve, or left out",
        );
        if !fields.has("carId") {
            fields.reject("carId", "is required: the number of the car to reserve");
        }
        let car = fields.number("carId", 1, MAX_ID);
        fields.finish()?;
        Ok(CarId(car.unwrap_or_default()))
    }
}

/// The largest number that every reader of JSON, and every column of the view, can hold exactly.
const MAX_ID: u64 = (1 << 53) - 1;

fn rejection(
    reservation: &Reservation,
    reason: RejectionReason,
    retry_after: Option<u64>,
) -> Problem {
    let car = reservation.car;
    let problem = match reason {
        RejectionReason::UnknownCar => Problem::not_found(format!("there is no car {car}")),
        RejectionReason::CarNotAvailable => Problem::conflict(
            "car-not-available",
            "The car is not available",
            format!("car {car} is booked; choose another or try again later"),
        ),
        RejectionReason::PaymentDeclined => Problem::new(
            StatusCode::PAYMENT_REQUIRED,
            "payment-declined",
            "The payment was declined",
            format!("the payment for car {car} was declined; nothing was charged"),
        ),
        RejectionReason::CarUnreachable
        | RejectionReason::PaymentUnreachable
        | RejectionReason::Interrupted => Problem::unavailable(
            format!("car {car} was not reserved and nothing is charged; try again"),
            retry_after.unwrap_or(1),
        ),
    };
    problem
        .member("rsvId", reservation.id.0)
        .member("reason", reason.as_str())
}
