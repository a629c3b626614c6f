//! The representation of a reservation.

use events::{CarId, CustomerId, PaymentId, ReservationId};
use serde::Serialize;

/// The fields of a reservation.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Reservation")
)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReservationFields {
    pub(super) rsv_id: ReservationId,
    pub(super) car_id: CarId,
    pub(super) pay_id: Option<PaymentId>,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["reqReserve", "reserved", "reqCancel", "cancelled", "rejected"])))]
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    /// The customer, for those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<CustomerId>,
}
