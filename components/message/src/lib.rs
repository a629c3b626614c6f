//! The message context.
//!
//! It owns the messages: what was sent about which reservation, and when. It accepts no commands; clients can only
//! read. It announces nothing. It reacts to ReservationConfirmed, ReservationCancelled and ReservationRejected with one
//! message each.

pub mod authorization;
pub mod domain;
pub mod http;
pub mod queries;
pub mod reactions;
mod repository;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sweep;

pub use repository::MessageRepository;

#[cfg(test)]
mod tests;
