//! The rules of a payment. Plain values and functions: no clock, no store, no HTTP.

mod payment;
mod refusal;

pub use payment::{Order, Payment, Receipt};
pub use refusal::{GatewayError, Refusal};
