//! The names of the bounded contexts.

/// One context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextId {
    /// Cars and their bookings.
    Car,
    /// Reservations and their sagas.
    Reservation,
    /// Payments.
    Payment,
    /// Messages to customers.
    Message,
    /// The read model.
    View,
}

impl ContextId {
    /// All contexts.
    pub const ALL: [Self; 5] = [
        Self::Car,
        Self::Reservation,
        Self::Payment,
        Self::Message,
        Self::View,
    ];
    /// The contexts that have a sweep.
    pub const SWEPT: [Self; 4] = [Self::Car, Self::Reservation, Self::Payment, Self::Message];

    /// The id of its component in `spin.toml`.
    pub fn component(self) -> &'static str {
        match self {
            Self::Car => "car",
            Self::Reservation => "reservation",
            Self::Payment => "payment",
            Self::Message => "message",
            Self::View => "viewpage",
        }
    }

    /// The path segment and JSON name of its list.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Car => "cars",
            Self::Reservation => "reservations",
            Self::Payment => "payments",
            Self::Message => "messages",
            Self::View => "carviews",
        }
    }
}
