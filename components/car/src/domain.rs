//! What must be true of a car, whatever happens around it. Plain values and functions: no clock, no
//! store, no HTTP.

mod booking;
mod car;
mod period;

pub use booking::{Booking, BookingState};
pub use car::{Car, Details, MAX_AMOUNT, MAX_TEXT, Refusal, Status};
pub use period::Period;
