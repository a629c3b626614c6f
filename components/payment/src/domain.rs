//! What must be true of a payment, whatever happens around it. Plain values and functions: no
//! clock, no store, no HTTP.

mod payment;

pub use payment::{Order, Payment, Receipt, Refusal, Silence};
