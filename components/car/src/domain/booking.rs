//! A booking: a car, a reservation and a period.

use super::Period;
use events::ReservationId;

/// One booking of a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// For whom.
    pub reservation: ReservationId,
    /// For when.
    pub period: Period,
    /// How firm it is.
    pub state: BookingState,
}

/// How firm a booking is. Both kinds keep others out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingState {
    /// Kept while the reservation is being paid.
    Held,
    /// The reservation stands.
    Confirmed,
}
