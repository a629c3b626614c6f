//! Why a reservation was rejected: a word for programs, chosen once, stored and announced.

use std::{fmt, str::FromStr};

/// Why a reservation was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no such car.
    UnknownCar,
    /// The car is booked.
    CarNotAvailable,
    /// The car context did not answer; the hold is given up.
    CarUnreachable,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment's outcome is unknown; it is cancelled.
    PaymentUnreachable,
    /// The saga was interrupted before the payment; the sweep ended it.
    Interrupted,
}

impl Reason {
    const ALL: [Self; 6] = [
        Self::UnknownCar,
        Self::CarNotAvailable,
        Self::CarUnreachable,
        Self::PaymentDeclined,
        Self::PaymentUnreachable,
        Self::Interrupted,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCar => "unknown-car",
            Self::CarNotAvailable => "car-not-available",
            Self::CarUnreachable => "car-unreachable",
            Self::PaymentDeclined => "payment-declined",
            Self::PaymentUnreachable => "payment-unreachable",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nobody decided it: the same request may have another outcome a moment later.
    #[must_use]
    pub fn invites_another_try(self) -> bool {
        match self {
            Self::CarUnreachable | Self::PaymentUnreachable | Self::Interrupted => true,
            Self::UnknownCar | Self::CarNotAvailable | Self::PaymentDeclined => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no reason for a rejection")]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.ok_or_else(|| UnknownReason(text.to_owned()))
    }
}
