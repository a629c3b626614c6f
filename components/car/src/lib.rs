//! The car context.
//!
//! It owns the fleet: every car with its name, type and amount, and its bookings. It accepts
//! registering, modifying and deleting from people, holding and releasing from the reservation
//! context. It announces CarRegistered, CarModified, CarDeleted, CarReserved and CarCancelled. It
//! reacts to ReservationConfirmed (the hold becomes a booking), ReservationCancelled and
//! ReservationRejected (the car is free again).

pub mod commands;
pub mod domain;
pub mod http;
pub mod queries;
pub mod reactions;
mod repository;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sweep;

pub use repository::CarRepository;
