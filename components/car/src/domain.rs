//! What must be true of a car, whatever happens around it. Plain values and functions: no clock, no
//! store, no HTTP.

mod booking;
mod car;
mod period;

pub use booking::{Booking, BookingState};
pub use car::{Car, CarDetails, CarStatus, MAX_AMOUNT, MAX_TEXT, Refusal};
pub use period::Period;
