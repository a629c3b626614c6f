//! The rules of a car and its bookings. Plain values and functions: no clock, no store, no HTTP.

mod booking;
mod car;
mod details;
mod period;
mod refusal;
mod status;

pub use booking::{Booking, BookingState};
pub use car::{Car, Transition};
pub use details::{CarDetails, MAX_AMOUNT, MAX_TEXT};
pub use period::Period;
pub use refusal::Refusal;
pub use status::CarStatus;
