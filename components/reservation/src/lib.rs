//! The reservation context.
//!
//! It owns the reservations and the saga that brings each of them to a final state. It accepts reserve and request
//! cancellation. It announces ReservationCreated, ReservationConfirmed, ReservationRejected,
//! ReservationCancelRequested and ReservationCancelled. It reacts to PaymentApproved (the reservation is confirmed)
//! and PaymentCancelled (the reservation is cancelled).
//!
//! A saga that neither the command nor an event finishes is finished by the [`sweep`], with [`recovery`].

pub mod authorization;
mod cause_of;
pub mod commands;
pub mod domain;
pub mod http;
pub mod live_reservations;
pub mod ports;
pub mod queries;
pub mod reactions;
pub mod recovery;
pub mod repository;
pub mod saga_log;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sweep;

pub use ports::ReservationPorts;
