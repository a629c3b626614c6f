//! Why the payment context refuses a request.

use super::order::Order;
use events::{PaymentId, ReservationId};

/// Why there is no payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such payment exists.
    Unknown(PaymentId),
    /// The payment of the reservation was cancelled, before or after it was paid.
    Cancelled(ReservationId),
    /// The gateway declined the order. No money was taken.
    Declined(Order),
    /// The request was not sent to the gateway. No money was taken.
    NotRequested(GatewayError),
    /// The gateway did not report whether it took the money.
    OutcomeUnknown(GatewayError),
}

/// Why the gateway gave no usable response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayError {
    /// What happened, for people.
    pub message: String,
    /// After how many seconds a retry makes sense, if that is known.
    pub retry_after: Option<u64>,
}

/// Seconds until a retry when the gateway named no time.
const RETRY_AFTER: u64 = 2;

impl GatewayError {
    /// An error whose duration is unknown.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retry_after: None,
        }
    }

    /// Seconds until a retry makes sense, also when the gateway named no time.
    #[must_use]
    pub fn seconds_until_retry(&self) -> u64 {
        self.retry_after.unwrap_or(RETRY_AFTER)
    }
}
