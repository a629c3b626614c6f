//! The rules of a reservation and the transitions of its saga. Plain values and functions: no clock, no store, no
//! HTTP.

mod rejection_reason;
mod reservation;
mod stage;

pub use rejection_reason::RejectionReason;
pub use reservation::{Refusal, Reservation, SagaStep, Transition};
pub use stage::Stage;
