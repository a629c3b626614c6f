//! What must be true of a reservation, and the steps of its saga. Plain values and functions: no
//! clock, no store, no HTTP.

mod reason;
mod reservation;

pub use reason::Reason;
pub use reservation::{Refusal, Reservation, Stage, Step, Transition};
