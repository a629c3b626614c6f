//! The contexts whose state the read model shows.

use serde::{Deserialize, Serialize};

/// A context whose state the read model shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceContext {
    /// The cars.
    Car,
    /// The reservations.
    Reservation,
    /// The payments.
    Payment,
}

impl SourceContext {
    /// The first path segment of its resources, which is also the name of its base table here.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Car => "cars",
            Self::Reservation => "reservations",
            Self::Payment => "payments",
        }
    }

    /// The name of its aggregates' number, in its JSON and in the base table.
    #[must_use]
    pub const fn id_column(self) -> &'static str {
        match self {
            Self::Car => "carId",
            Self::Reservation => "rsvId",
            Self::Payment => "payId",
        }
    }

    /// The context that a rebuild reads after this one.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Car => Some(Self::Reservation),
            Self::Reservation => Some(Self::Payment),
            Self::Payment => None,
        }
    }
}
