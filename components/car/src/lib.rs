//! The car context.
//!
//! It owns the cars: name, type and amount of each, and its bookings. It accepts register, modify and delete from
//! clients, and hold and release from the reservation context. It announces CarRegistered, CarModified, CarDeleted,
//! CarReserved and CarCancelled. It reacts to ReservationConfirmed (the hold becomes a confirmed booking),
//! ReservationCancelled and ReservationRejected (the booking is removed).

pub mod authorization;
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
