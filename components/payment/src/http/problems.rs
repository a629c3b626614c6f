//! The problem document of each refusal.

use crate::domain::Refusal;
use ::http::StatusCode;
use kit::http::Problem;

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
            Refusal::NotRequested(error) => {
                let seconds = error.seconds_until_retry();
                let title = "The gateway was not called";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "payment-not-asked", title, error.message).retry_after(seconds)
            }
            Refusal::OutcomeUnknown(error) => {
                let seconds = error.seconds_until_retry();
                Self::unavailable(error.message, seconds)
            }
        }
    }
}
