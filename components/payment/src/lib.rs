//! The payment context.
//!
//! It owns the payments: which reservation cost how much, and whether the money is still ours. It
//! accepts approving and cancelling from the reservation context; people may only look. It
//! announces PaymentApproved and PaymentCancelled. It reacts to ReservationCancelRequested (the
//! money is returned).
//!
//! Who really takes the money stands behind [`ports::Gateway`]; `commands` tells how a call that
//! was cut off is finished or undone.

pub mod address;
pub mod commands;
pub mod domain;
pub mod http;
pub mod ledger;
pub mod memory;
mod payments;
pub mod ports;
pub mod queries;
pub mod reactions;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sweep;
mod todo;

pub use payments::Payments;

#[cfg(test)]
mod tests;
