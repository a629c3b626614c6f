//! The published language: what the contexts tell each other, and how it looks on the wire.
//!
//! An [`Event`] is a fact in the past tense; a [`CloudEvent`] is that fact with everything a stranger
//! needs to file it: who says so, about what, when, in which order and because of what. An event
//! carries the whole state it speaks of, so that nobody has to ask back and any order can be mended
//! by comparing `sequence`. Absent on purpose: the contexts' own types, which live and change apart.

mod cloud_event;
mod event;
mod ids;
mod timestamp;

pub use cloud_event::{CloudEvent, ParseEventError, SPEC_VERSION};
pub use event::{CarBookingState, CarDeleted, CarState, Event, PaymentState, ReservationState};
pub use ids::{CarId, MessageId, ParseIdError, PaymentId, ReservationId};
pub use timestamp::Timestamp;

/// The stream (and channel) that carries the events of cars.
pub const CAR_STREAM: &str = "socar.car";
/// The stream (and channel) that carries the events of reservations.
pub const RESERVATION_STREAM: &str = "socar.reservation";
/// The stream (and channel) that carries the events of payments.
pub const PAYMENT_STREAM: &str = "socar.payment";
