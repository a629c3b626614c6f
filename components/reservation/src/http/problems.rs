//! The problem document of each refusal and of each rejection reason.

use crate::domain::{Refusal, RejectionReason, Reservation};
use ::http::StatusCode;
use kit::http::Problem;

/// The slug of [`Refusal::LimitReached`].
pub(super) const LIMIT_REACHED: &str = "reservation-limit";

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(id) => Self::not_found(format!("there is no reservation {id}")),
            Refusal::Undecided(id) => Self::conflict(
                "reservation-undecided",
                "The reservation is not decided yet",
                format!("reservation {id} is still being confirmed; try again in a moment"),
            )
            .retry_after(1),
            Refusal::Rejected(id) => Self::conflict(
                "reservation-rejected",
                "The reservation was rejected",
                format!("reservation {id} was rejected; there is nothing to cancel"),
            ),
            Refusal::LimitReached { limit } => Self::conflict(
                LIMIT_REACHED,
                "The customer has too many reservations",
                format!(
                    "a customer may have {limit} reservations at a time; cancel one of them first"
                ),
            )
            .member("limit", limit),
        }
    }
}

/// The problem document of a rejected reservation.
pub(super) fn rejection(
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
        | RejectionReason::LogUnavailable
        | RejectionReason::Interrupted => Problem::unavailable(
            format!("car {car} was not reserved and nothing is charged; try again"),
            retry_after.unwrap_or(1),
        ),
    };
    problem
        .member("rsvId", reservation.id.0)
        .member("reason", reason.as_str())
}
