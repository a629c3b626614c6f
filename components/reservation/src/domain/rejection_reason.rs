//! Why a reservation was rejected: the identifier that is stored, published and returned over HTTP.

use std::{fmt, str::FromStr};

/// Why a reservation was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionReason {
    /// No such car exists.
    UnknownCar,
    /// Another reservation has the car.
    CarNotAvailable,
    /// The call to the car context failed; the hold is released.
    CarUnreachable,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment's outcome is unknown; the payment is cancelled.
    PaymentUnreachable,
    /// The event log did not accept the announcement of the reservation. Without it a paid reservation would not be
    /// confirmed, so nothing was paid.
    LogUnavailable,
    /// The saga was interrupted before the payment; the sweep rejected the reservation.
    Interrupted,
}

impl RejectionReason {
    const ALL: [Self; 7] = [
        Self::UnknownCar,
        Self::CarNotAvailable,
        Self::CarUnreachable,
        Self::PaymentDeclined,
        Self::PaymentUnreachable,
        Self::LogUnavailable,
        Self::Interrupted,
    ];

    /// The identifier.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCar => "unknown-car",
            Self::CarNotAvailable => "car-not-available",
            Self::CarUnreachable => "car-unreachable",
            Self::PaymentDeclined => "payment-declined",
            Self::PaymentUnreachable => "payment-unreachable",
            Self::LogUnavailable => "log-unavailable",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether a technical failure caused the rejection, so that the same request can succeed a moment later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        match self {
            Self::CarUnreachable
            | Self::PaymentUnreachable
            | Self::LogUnavailable
            | Self::Interrupted => true,
            Self::UnknownCar | Self::CarNotAvailable | Self::PaymentDeclined => false,
        }
    }
}

impl fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not the identifier of a [`RejectionReason`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a rejection reason")]
pub struct UnknownRejectionReason(String);

impl FromStr for RejectionReason {
    type Err = UnknownRejectionReason;

    fn from_str(text: &str) -> Result<Self, UnknownRejectionReason> {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.ok_or_else(|| UnknownRejectionReason(text.to_owned()))
    }
}
