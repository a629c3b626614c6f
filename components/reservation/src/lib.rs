//! The reservation context.
//!
//! It owns reservations and the saga that leads each of them to an end. It accepts reserving and
//! requesting cancellation. It announces ReservationCreated, ReservationConfirmed,
//! ReservationRejected, ReservationCancelRequested and ReservationCancelled. It reacts to
//! PaymentApproved (the reservation stands) and PaymentCancelled (it is cancelled); what neither
//! decides, the sweep does.

pub mod answers;
pub mod commands;
mod desk;
pub mod domain;
pub mod guarded;
pub mod http;
pub mod ports;
pub mod queries;
pub mod reactions;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sweep;

pub use desk::Desk;
pub use guarded::Guarded;
