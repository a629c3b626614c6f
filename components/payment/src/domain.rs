//! The rules of a payment. Plain values and functions: no clock, no store, no HTTP.

mod order;
mod payment;
mod refusal;

pub use order::{Order, Receipt};
pub use payment::Payment;
pub use refusal::{GatewayError, Refusal};
