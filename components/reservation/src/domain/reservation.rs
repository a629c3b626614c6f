//! A reservation and its saga as a state machine:
//!
//! ```text
//! reqReserve ──paid──► reserved ──cancel──► reqCancel ──refunded──► cancelled
//!     └──────rejected──► rejected
//! ```
//!
//! Every transition is a no-op in the stage it leads to, so its cause can be delivered twice. Only a payment leads from
//! `reqReserve` to `reserved`, and no transition leaves `rejected` or `cancelled`.

use super::{cause::Cause, rejection_reason::RejectionReason, saga_token::SagaToken, stage::Stage};
use events::{CarId, CustomerId, Event, PaymentId, ReservationId, ReservationState, Timestamp};

/// A customer's reservation of one car.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Its number.
    pub id: ReservationId,
    /// The reserved car.
    pub car: CarId,
    /// The customer; `None` if it belongs to the company.
    pub customer: Option<CustomerId>,
    /// The stage of its saga.
    pub stage: Stage,
    /// The transitions so far, oldest first.
    pub steps: Vec<SagaStep>,
    /// The token of its latest saga: of the reservation itself, or of its cancellation.
    pub saga: SagaToken,
}

/// One transition of the saga, for the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaStep {
    /// The status that it led to.
    pub status: String,
    /// When it happened.
    pub at: Timestamp,
    /// The id of the request or event that caused it.
    pub cause: String,
    /// The user whose request is at the beginning, on a platform with identity.
    pub actor: Option<String>,
}

/// Why a reservation refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such reservation exists.
    Unknown(ReservationId),
    /// The reservation is still being held and paid.
    Undecided(ReservationId),
    /// The reservation was rejected, so it cannot be cancelled.
    Rejected(ReservationId),
    /// The customer has as many live reservations as a customer may have.
    LimitReached {
        /// The most live reservations of a customer.
        limit: usize,
    },
}

/// The reservation after a transition and its announcement; `None` when nothing changes.
pub type Transition = Option<(Reservation, Event)>;

impl Reservation {
    /// A new reservation and its announcement.
    #[must_use]
    pub fn request<'c>(
        id: ReservationId,
        car: CarId,
        customer: Option<&CustomerId>,
        saga: &SagaToken,
        at: Timestamp,
        cause: impl Into<Cause<'c>>,
    ) -> (Self, Event) {
        let reservation = Self {
            id,
            car,
            customer: customer.cloned(),
            stage: Stage::Requested,
            steps: Vec::new(),
            saga: saga.clone(),
        };
        reservation.enter(
            Stage::Requested,
            at,
            cause.into(),
            Event::ReservationCreated,
        )
    }

    /// Confirms a requested reservation after its payment was approved. A no-op in every other stage.
    #[must_use]
    pub fn confirm<'c>(
        &self,
        payment: PaymentId,
        at: Timestamp,
        cause: impl Into<Cause<'c>>,
    ) -> Transition {
        match self.stage {
            Stage::Requested => {
                let reserved = Stage::Reserved { payment };
                Some(self.enter(reserved, at, cause.into(), Event::ReservationConfirmed))
            }
            _ => None,
        }
    }

    /// Rejects a requested reservation. A no-op in every other stage.
    #[must_use]
    pub fn reject<'c>(
        &self,
        reason: RejectionReason,
        at: Timestamp,
        cause: impl Into<Cause<'c>>,
    ) -> Transition {
        match self.stage {
            Stage::Requested => {
                let rejected = Stage::Rejected { reason };
                Some(self.enter(rejected, at, cause.into(), Event::ReservationRejected))
            }
            _ => None,
        }
    }

    /// Requests the cancellation of a confirmed reservation, in the saga `saga`. A no-op when it was requested
    /// before.
    ///
    /// # Errors
    ///
    /// [`Refusal::Undecided`] and [`Refusal::Rejected`] in the stages of these names.
    pub fn request_cancellation<'c>(
        &self,
        saga: &SagaToken,
        at: Timestamp,
        cause: impl Into<Cause<'c>>,
    ) -> Result<Transition, Refusal> {
        match self.stage {
            Stage::Reserved { payment } => {
                let requested = Stage::CancelRequested { payment };
                let event = Event::ReservationCancelRequested;
                let (mut reservation, event) = self.enter(requested, at, cause.into(), event);
                reservation.saga = saga.clone();
                Ok(Some((reservation, event)))
            }
            Stage::CancelRequested { .. } | Stage::Cancelled { .. } => Ok(None),
            Stage::Requested => Err(Refusal::Undecided(self.id)),
            Stage::Rejected { .. } => Err(Refusal::Rejected(self.id)),
        }
    }

    /// Cancels the reservation after its refund, if the cancellation was requested. A no-op in every other stage.
    #[must_use]
    pub fn cancel<'c>(&self, at: Timestamp, cause: impl Into<Cause<'c>>) -> Transition {
        match self.stage {
            Stage::CancelRequested { payment } => {
                let cancelled = Stage::Cancelled { payment };
                Some(self.enter(cancelled, at, cause.into(), Event::ReservationCancelled))
            }
            _ => None,
        }
    }

    fn enter(
        &self,
        stage: Stage,
        at: Timestamp,
        cause: Cause<'_>,
        event: fn(ReservationState) -> Event,
    ) -> (Self, Event) {
        let mut reservation = self.clone();
        reservation.stage = stage;
        reservation.steps.push(SagaStep {
            status: stage.as_str().into(),
            at,
            cause: cause.id.to_owned(),
            actor: cause.actor.map(str::to_owned),
        });
        let event = event(reservation.published_state());
        (reservation, event)
    }

    fn published_state(&self) -> ReservationState {
        ReservationState {
            rsv_id: self.id,
            car_id: self.car,
            pay_id: self.stage.payment(),
            status: self.stage.as_str().into(),
            reason: self.stage.reason().map(|reason| reason.to_string()),
            customer_id: self.customer.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
