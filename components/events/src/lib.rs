//! The published language: the events that the contexts exchange, and their JSON form.
//!
//! An [`Event`] is a committed change in the past tense. A [`CloudEvent`] is the event with its publisher,
//! subject, time, order and cause. An event carries the whole state of its aggregate, so that a consumer
//! needs no further request, and handles any order by comparing `sequence`. The domain types of the
//! contexts are not part of it: they change independently.

mod cloud_event;
mod event;
mod ids;
mod timestamp;

pub use cloud_event::{CloudEvent, ParseEventError, SPEC_VERSION};
pub use event::{CarBookingState, CarDeleted, CarState, Event, PaymentState, ReservationState};
pub use ids::{CarId, CustomerId, MessageId, ParseIdError, PaymentId, ReservationId};
pub use timestamp::Timestamp;

/// The stream and channel of the events of cars.
pub const CAR_STREAM: &str = "socar.car";
/// The stream and channel of the events of reservations.
pub const RESERVATION_STREAM: &str = "socar.reservation";
/// The stream and channel of the events of payments.
pub const PAYMENT_STREAM: &str = "socar.payment";
