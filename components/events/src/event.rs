//! Every event of the platform and what it says. One arm per event: the name of the arm is the
//! CloudEvents `type`, the struct inside is its `data`.

use crate::{CarId, PaymentId, ReservationId};
use serde::{Deserialize, Serialize};

/// A fact that some context has committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A car joined the fleet.
    CarRegistered(CarState),
    /// A car's name, type or amount changed.
    CarModified(CarState),
    /// A car left the fleet.
    CarDeleted(CarDeleted),
    /// A confirmed reservation has booked the car.
    CarReserved(CarBookingState),
    /// The booking of a confirmed reservation was given up; the car is free again.
    CarCancelled(CarBookingState),
    /// A customer asked for a car.
    ReservationCreated(ReservationState),
    /// The reservation is paid and stands.
    ReservationConfirmed(ReservationState),
    /// The reservation was refused; `reason` says why.
    ReservationRejected(ReservationState),
    /// The customer asked to give the reservation up.
    ReservationCancelRequested(ReservationState),
    /// The reservation was given up and its payment returned.
    ReservationCancelled(ReservationState),
    /// The reservation's amount was paid.
    PaymentApproved(PaymentState),
    /// The payment was returned.
    PaymentCancelled(PaymentState),
}

/// A car as it is after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarState {
    /// Which car.
    pub car_id: CarId,
    /// Its name.
    pub car_name: String,
    /// Its type.
    pub car_type: String,
    /// Price of one reservation, in won.
    pub amount: u64,
    /// `available` or `reserved`.
    pub status: String,
}

/// A car as it is after one of its bookings changed, and for whom it changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarBookingState {
    /// The car after the event.
    #[serde(flatten)]
    pub car: CarState,
    /// The reservation that booked it or gave it up.
    pub rsv_id: ReservationId,
}

/// A car that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarDeleted {
    /// Which car.
    pub car_id: CarId,
}

/// A reservation as it is after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationState {
    /// Which reservation.
    pub rsv_id: ReservationId,
    /// The car it asks for.
    pub car_id: CarId,
    /// Its payment: set from the confirmation on, absent before and for a rejection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pay_id: Option<PaymentId>,
    /// `reqReserve`, `reserved`, `reqCancel`, `cancelled` or `rejected`.
    pub status: String,
    /// Why it was rejected: set in `ReservationRejected`, absent elsewhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A payment as it is after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentState {
    /// Which payment.
    pub pay_id: PaymentId,
    /// The reservation it pays for.
    pub rsv_id: ReservationId,
    /// The car of that reservation.
    pub car_id: CarId,
    /// What was paid, in won.
    pub amount: u64,
    /// `paid` or `cancelled`.
    pub status: String,
}

impl Event {
    /// Every event's name, in the order of the catalogue.
    pub const TYPES: [&'static str; 12] = [
        "CarRegistered",
        "CarModified",
        "CarDeleted",
        "CarReserved",
        "CarCancelled",
        "ReservationCreated",
        "ReservationConfirmed",
        "ReservationRejected",
        "ReservationCancelRequested",
        "ReservationCancelled",
        "PaymentApproved",
        "PaymentCancelled",
    ];
}
