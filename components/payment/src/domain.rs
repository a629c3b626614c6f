//! The rules of a payment. Plain values and functions: no clock, no store, no HTTP.

mod gateway_id;
mod order;
mod payment;
mod refusal;

pub use gateway_id::GatewayId;
pub use order::{Order, Receipt};
pub use payment::Payment;
pub use refusal::{GatewayError, Refusal};
