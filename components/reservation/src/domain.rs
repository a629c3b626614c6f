//! The rules of a reservation and the transitions of its saga. Plain values and functions: no clock, no store, no
//! HTTP.

mod cause;
mod rejection_reason;
mod reservation;
mod saga_token;
mod stage;

pub use cause::Cause;
pub use rejection_reason::RejectionReason;
pub use reservation::{Refusal, Reservation, SagaStep, Transition};
pub use saga_token::SagaToken;
pub use stage::Stage;
