//! A reservation and its saga as a state machine:
//!
//! ```text
//! reqReserve ──paid──► reserved ──cancel──► reqCancel ──refunded──► cancelled
//!     └──────refused──► rejected
//! ```
//!
//! Every transition is a no-op in the state it leads to, so that a cause may come twice. There is no
//! way from `reqReserve` to `reserved` but a payment, and none out of `rejected` and `cancelled`.

use super::Reason;
use events::{CarId, Event, PaymentId, ReservationId, ReservationState, Timestamp};

/// A customer's reservation of one car.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Which reservation.
    pub id: ReservationId,
    /// The car it asks for.
    pub car: CarId,
    /// How far its saga has come.
    pub stage: Stage,
    /// The steps so far, first to last.
    pub steps: Vec<Step>,
}

/// How far the saga has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asked for; being held and paid.
    Requested,
    /// Paid: it stands.
    Reserved {
        /// What paid for it.
        payment: PaymentId,
    },
    /// The customer gave it up; the payment is being returned.
    CancelRequested {
        /// What is being returned.
        payment: PaymentId,
    },
    /// Given up and returned.
    Cancelled {
        /// What was returned.
        payment: PaymentId,
    },
    /// Refused.
    Rejected {
        /// Why.
        reason: Reason,
    },
}

/// One step of the saga, for those who ask how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The status it led to.
    pub status: String,
    /// When.
    pub at: Timestamp,
    /// The request or event that caused it.
    pub cause: String,
}

/// Why a reservation does not do what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such reservation.
    Unknown(ReservationId),
    /// It is still being held and paid.
    Undecided(ReservationId),
    /// It was rejected; there is nothing to cancel.
    Rejected(ReservationId),
}

/// The reservation after a step and the announcement of it; `None` when nothing changes.
pub type Transition = Option<(Reservation, Event)>;

// === impl Stage ===

impl Stage {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Requested => "reqReserve",
            Self::Reserved { .. } => "reserved",
            Self::CancelRequested { .. } => "reqCancel",
            Self::Cancelled { .. } => "cancelled",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// What pays or paid for it.
    #[must_use]
    pub fn payment(&self) -> Option<PaymentId> {
        match *self {
            Self::Reserved { payment }
            | Self::CancelRequested { payment }
            | Self::Cancelled { payment } => Some(payment),
            Self::Requested | Self::Rejected { .. } => None,
        }
    }

    /// Why it was refused.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match *self {
            Self::Rejected { reason } => Some(reason),
            _ => None,
        }
    }
}

// === impl Reservation ===

impl Reservation {
    /// A new request and its announcement.
    #[must_use]
    pub fn request(id: ReservationId, car: CarId, at: Timestamp, cause: &str) -> (Self, Event) {
        let reservation = Self {
            id,
            car,
            stage: Stage::Requested,
            steps: Vec::new(),
        };
        reservation.step(Stage::Requested, at, cause, Event::ReservationCreated)
    }

    /// The payment was approved: the reservation stands. Too late for one that was rejected.
    #[must_use]
    pub fn confirm(&self, payment: PaymentId, at: Timestamp, cause: &str) -> Transition {
        match self.stage {
            Stage::Requested => {
                let reserved = Stage::Reserved { payment };
                Some(self.step(reserved, at, cause, Event::ReservationConfirmed))
            }
            _ => None,
        }
    }

    /// The reservation is refused. Too late for one that is paid.
    #[must_use]
    pub fn reject(&self, reason: Reason, at: Timestamp, cause: &str) -> Transition {
        match self.stage {
            Stage::Requested => {
                let rejected = Stage::Rejected { reason };
                Some(self.step(rejected, at, cause, Event::ReservationRejected))
            }
            _ => None,
        }
    }

    /// The customer gives the reservation up. Asking twice is asking once.
    ///
    /// # Errors
    ///
    /// What is not decided yet, or was rejected, cannot be given up.
    pub fn request_cancellation(&self, at: Timestamp, cause: &str) -> Result<Transition, Refusal> {
        match self.stage {
            Stage::Reserved { payment } => {
                let requested = Stage::CancelRequested { payment };
                Ok(Some(self.step(
                    requested,
                    at,
                    cause,
                    Event::ReservationCancelRequested,
                )))
            }
            Stage::CancelRequested { .. } | Stage::Cancelled { .. } => Ok(None),
            Stage::Requested => Err(Refusal::Undecided(self.id)),
            Stage::Rejected { .. } => Err(Refusal::Rejected(self.id)),
        }
    }

    /// The payment was returned: the reservation is cancelled, if that was asked for.
    #[must_use]
    pub fn cancel(&self, at: Timestamp, cause: &str) -> Transition {
        match self.stage {
            Stage::CancelRequested { payment } => {
                let cancelled = Stage::Cancelled { payment };
                Some(self.step(cancelled, at, cause, Event::ReservationCancelled))
            }
            _ => None,
        }
    }

    fn step(
        &self,
        stage: Stage,
        at: Timestamp,
        cause: &str,
        event: fn(ReservationState) -> Event,
    ) -> (Self, Event) {
        let mut reservation = self.clone();
        reservation.stage = stage;
        reservation.steps.push(Step {
            status: stage.as_str().into(),
            at,
            cause: cause.into(),
        });
        let event = event(reservation.announced());
        (reservation, event)
    }

    fn announced(&self) -> ReservationState {
        ReservationState {
            rsv_id: self.id,
            car_id: self.car,
            pay_id: self.stage.payment(),
            status: self.stage.as_str().into(),
            reason: self.stage.reason().map(|reason| reason.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYMENT: PaymentId = PaymentId(9);
    const NOW: fn() -> Timestamp = || Timestamp::from_millis(1);

    fn requested() -> Reservation {
        Reservation::request(ReservationId(1), CarId(2), NOW(), "c").0
    }

    fn reserved() -> Reservation {
        requested().confirm(PAYMENT, NOW(), "c").unwrap().0
    }

    fn cancel_requested() -> Reservation {
        reserved()
            .request_cancellation(NOW(), "c")
            .unwrap()
            .unwrap()
            .0
    }

    fn rejected() -> Reservation {
        requested()
            .reject(Reason::PaymentDeclined, NOW(), "c")
            .unwrap()
            .0
    }

    fn cancelled() -> Reservation {
        cancel_requested().cancel(NOW(), "c").unwrap().0
    }

    #[test]
    fn a_payment_is_the_only_way_to_a_reservation_that_stands() {
        let (reservation, event) = requested().confirm(PAYMENT, NOW(), "c").unwrap();
        assert_eq!(reservation.stage, Stage::Reserved { payment: PAYMENT });
        assert!(
            matches!(event, Event::ReservationConfirmed(state) if state.pay_id == Some(PAYMENT))
        );
        for late in [rejected(), cancel_requested(), cancelled(), reserved()] {
            assert_eq!(late.confirm(PAYMENT, NOW(), "c"), None);
        }
    }

    #[test]
    fn what_is_paid_is_not_rejected_any_more() {
        for late in [reserved(), cancel_requested(), cancelled(), rejected()] {
            assert_eq!(late.reject(Reason::Interrupted, NOW(), "c"), None);
        }
    }

    #[test]
    fn a_rejection_says_why() {
        let (_, event) = requested()
            .reject(Reason::CarNotAvailable, NOW(), "c")
            .unwrap();
        assert!(matches!(event, Event::ReservationRejected(state)
            if state.reason.as_deref() == Some("car-not-available") && state.pay_id.is_none()));
    }

    #[test]
    fn cancelling_twice_is_cancelling_once() {
        for again in [cancel_requested(), cancelled()] {
            assert_eq!(again.request_cancellation(NOW(), "c"), Ok(None));
        }
        assert_eq!(cancelled().cancel(NOW(), "c"), None);
    }

    #[test]
    fn only_what_stands_can_be_given_up() {
        let id = ReservationId(1);
        assert_eq!(
            requested().request_cancellation(NOW(), "c"),
            Err(Refusal::Undecided(id))
        );
        assert_eq!(
            rejected().request_cancellation(NOW(), "c"),
            Err(Refusal::Rejected(id))
        );
        assert_eq!(
            reserved().cancel(NOW(), "c"),
            None,
            "a refund alone cancels nothing"
        );
    }

    #[test]
    fn the_steps_tell_the_whole_saga() {
        let steps: Vec<String> = cancelled()
            .steps
            .into_iter()
            .map(|step| step.status)
            .collect();
        assert_eq!(steps, ["reqReserve", "reserved", "reqCancel", "cancelled"]);
    }
}
