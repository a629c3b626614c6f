//! The ids of cars, reservations, payments and messages: numbers from 1, with a type each, so that the
//! compiler rejects the id of another kind. The id of a customer is a text.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a whole number from 1, in plain digits")]
pub struct ParseIdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(#[cfg_attr(feature = "schema", schemars(range(min = 1)))] pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                number(text).map(Self)
            }
        }
    };
}

id! {
    /// Id of a car.
    CarId
}
id! {
    /// Id of a reservation.
    ReservationId
}
id! {
    /// Id of a payment.
    PaymentId
}
id! {
    /// Id of a message.
    MessageId
}

/// The customer whom an aggregate belongs to, as the issuer of access tokens names them. What belongs to no customer
/// belongs to the company.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct CustomerId(pub String);

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses an id. `+1` and `01` are no ids, so that every resource has a single URL.
fn number(text: &str) -> Result<u64, ParseIdError> {
    match text.as_bytes() {
        [b'1'..=b'9', ..] => text.parse().map_err(|_| ParseIdError),
        _ => Err(ParseIdError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!("17".parse(), Ok(CarId(17)));
        for wrong in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            "1.0",
            "1 ",
            "x",
            "99999999999999999999",
        ] {
            assert_eq!(wrong.parse::<CarId>(), Err(ParseIdError), "{wrong}");
        }
    }
}
