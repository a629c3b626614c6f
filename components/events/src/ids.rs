//! The numbers by which the contexts know things: one type each, so that a car is never paid for by
//! its own id. Every number counts from 1.

use serde::{Deserialize, Serialize};
use std::{fmt, num::ParseIntError, str::FromStr};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A car of the fleet.
    CarId
}
id! {
    /// A customer's reservation of one car.
    ReservationId
}
id! {
    /// What was paid for one reservation.
    PaymentId
}
id! {
    /// One notice to the people concerned.
    MessageId
}
