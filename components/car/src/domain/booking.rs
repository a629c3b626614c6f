//! A booking: a car, a reservation and a period.

use super::period::Period;
use events::ReservationId;

/// One booking of a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The reservation that has the car.
    pub reservation: ReservationId,
    /// The time for which it has the car.
    pub period: Period,
    /// Whether the booking is held or confirmed.
    pub state: BookingState,
}

/// Whether a booking is held or confirmed. In both states it excludes overlapping bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingState {
    /// Held while the reservation is being paid.
    Held,
    /// The reservation is confirmed.
    Confirmed,
}
