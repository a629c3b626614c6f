//! The payment context.
//!
//! It owns the payments: the reservation, the amount, and whether the money is taken or returned. It accepts
//! approve and cancel from the reservation context; other clients can only read. It announces PaymentApproved and
//! PaymentCancelled. It reacts to ReservationCancelRequested: the money is returned.
//!
//! The money itself is taken behind [`ports::Gateway`]. [`commands`] describes how a gateway call that was cut off
//! is finished or compensated.

pub mod authorization;
pub mod built_in_gateway;
pub mod commands;
pub mod domain;
#[cfg(test)]
mod fake_gateway;
pub mod gateway_intents;
pub mod gateway_url;
pub mod http;
pub mod late_refunds;
pub mod ports;
pub mod queries;
pub mod reactions;
pub mod refund;
pub mod repository;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sweep;

pub use ports::PaymentPorts;

#[cfg(test)]
mod tests;
