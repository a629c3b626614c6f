//! The problem document of each refusal.

use crate::domain::Refusal;
use ::http::StatusCode;
use kit::http::Problem;

/// Seconds until a retry when the gateway named no time.
const RETRY_AFTER: u64 = 2;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(id) => Self::not_found(format!("there is no payment {id}")),
            Refusal::Cancelled(id) => Self::conflict(
                "payment-cancelled",
                "The payment was cancelled",
                format!("the payment of reservation {id} was given up; make a new reservation"),
            ),
            Refusal::Declined(order) => Self::new(
                StatusCode::PAYMENT_REQUIRED,
                "payment-declined",
                "The payment was declined",
                format!("{} won for car {} were declined", order.amount, order.car),
            ),
            Refusal::NotRequested(error) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "payment-not-asked",
                "The gateway was not called",
                error.message,
            )
            .retry_after(error.retry_after.unwrap_or(RETRY_AFTER)),
            Refusal::OutcomeUnknown(error) => {
                Self::unavailable(error.message, error.retry_after.unwrap_or(RETRY_AFTER))
            }
        }
    }
}
