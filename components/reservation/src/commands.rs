//! The commands of a customer: reserve a car, and request the cancellation of a reservation.

mod request_cancellation;
mod reserve;

pub use request_cancellation::request_cancellation;
pub use reserve::{ReserveOutcome, reserve, reserve_again};
