//! The contexts of the platform, by name.

/// A context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextId {
    /// The fleet.
    Car,
    /// Reservations and their sagas.
    Reservation,
    /// Payments.
    Payment,
    /// Messages.
    Message,
    /// The view.
    View,
}

impl ContextId {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Car,
        Self::Reservation,
        Self::Payment,
        Self::Message,
        Self::View,
    ];
    /// Those that have something to sweep.
    pub const SWEPT: [Self; 4] = [Self::Car, Self::Reservation, Self::Payment, Self::Message];

    /// What its list is called.
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
