//! The catalogue of events. The name of a variant is the CloudEvents `type`, the struct inside is the
//! `data`.

use crate::{CarId, CustomerId, PaymentId, ReservationId};
use serde::{Deserialize, Serialize};
use serde_json::from_str;
use strum::{IntoStaticStr, VariantNames};

/// A committed change of one aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A car joined the fleet.
    CarRegistered(CarState),
    /// A car's name, type or amount changed.
    CarModified(CarState),
    /// A car left the fleet.
    CarDeleted(CarDeleted),
    /// A confirmed reservation booked the car.
    CarReserved(CarBookingState),
    /// The booking of a confirmed reservation ended; the car is available again.
    CarCancelled(CarBookingState),
    /// A customer requested a car.
    ReservationCreated(ReservationState),
    /// The reservation is paid and confirmed.
    ReservationConfirmed(ReservationState),
    /// The reservation was rejected for the given `reason`.
    ReservationRejected(ReservationState),
    /// The customer requested the cancellation of the reservation.
    ReservationCancelRequested(ReservationState),
    /// The reservation was cancelled and its payment refunded.
    ReservationCancelled(ReservationState),
    /// The reservation's amount was paid.
    PaymentApproved(PaymentState),
    /// The payment was refunded.
    PaymentCancelled(PaymentState),
}

/// The state of a car after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CarState {
    /// Id of the car.
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

/// The state of a car after a change of one of its bookings, with the reservation of that booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CarBookingState {
    /// The state of the car.
    #[serde(flatten)]
    pub car: CarState,
    /// The reservation of the booking.
    pub rsv_id: ReservationId,
}

/// A deleted car.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CarDeleted {
    /// Id of the car.
    pub car_id: CarId,
}

/// The state of a reservation after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReservationState {
    /// Id of the reservation.
    pub rsv_id: ReservationId,
    /// The requested car.
    pub car_id: CarId,
    /// The payment: set from the confirmation on, absent before it and for a rejection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pay_id: Option<PaymentId>,
    /// `reqReserve`, `reserved`, `reqCancel`, `cancelled` or `rejected`.
    pub status: String,
    /// The reason of a rejection: set in `ReservationRejected`, absent in other events.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The customer; absent for what belongs to the company.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub customer_id: Option<CustomerId>,
}

/// The state of a payment after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentState {
    /// Id of the payment.
    pub pay_id: PaymentId,
    /// The paid reservation.
    pub rsv_id: ReservationId,
    /// The car of that reservation.
    pub car_id: CarId,
    /// The amount, in won.
    pub amount: u64,
    /// `paid` or `cancelled`.
    pub status: String,
    /// The customer; absent for what belongs to the company.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub customer_id: Option<CustomerId>,
}

impl Event {
    /// The CloudEvents `type` of every event, in the order of the catalogue.
    pub const TYPES: &'static [&'static str] = Self::VARIANTS;

    /// The CloudEvents `type` of this event.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.into()
    }

    /// Parses the `data` of an event of this type; `None` if the catalogue does not contain the type.
    pub(crate) fn parse(type_name: &str, data: &str) -> serde_json::Result<Option<Self>> {
        Ok(Some(match type_name {
            "CarRegistered" => Self::CarRegistered(from_str(data)?),
            "CarModified" => Self::CarModified(from_str(data)?),
            "CarDeleted" => Self::CarDeleted(from_str(data)?),
            "CarReserved" => Self::CarReserved(from_str(data)?),
            "CarCancelled" => Self::CarCancelled(from_str(data)?),
            "ReservationCreated" => Self::ReservationCreated(from_str(data)?),
            "ReservationConfirmed" => Self::ReservationConfirmed(from_str(data)?),
            "ReservationRejected" => Self::ReservationRejected(from_str(data)?),
            "ReservationCancelRequested" => Self::ReservationCancelRequested(from_str(data)?),
            "ReservationCancelled" => Self::ReservationCancelled(from_str(data)?),
            "PaymentApproved" => Self::PaymentApproved(from_str(data)?),
            "PaymentCancelled" => Self::PaymentCancelled(from_str(data)?),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_is_its_type_in_json() {
        let event = Event::CarDeleted(CarDeleted { car_id: CarId(1) });
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["type"], event.type_name());
    }

    #[test]
    fn every_type_is_known_to_the_parser() {
        assert!(Event::TYPES.len() > 10, "{:?}", Event::TYPES);
        for name in Event::TYPES {
            assert!(Event::parse(name, "null").is_err(), "{name}");
        }
    }
}
