//! Reading the bodies of requests.

use super::fields::ReservationFields;
use events::CarId;
use kit::http::{Problem, Request, json::Fields};
use serde_json::{Value, json};

/// The greatest number that every JSON reader, and every column of the view, represents exactly.
const MAX_ID: u64 = (1 << 53) - 1;

const CANNOT_CHANGE: &str = "cannot be changed";
const IS_GIVEN: &str = "is given by the platform";

/// The car of a new reservation.
pub(super) fn car(request: &Request) -> Result<CarId, Problem> {
    let mut fields = Fields::from_request(request)?;
    fields.ignore("_links");
    fields.ignore_nulls(&["status"]);
    for given in ["rsvId", "payId", "reason", "customerId"] {
        fields.read_only(given, &Value::Null, IS_GIVEN);
    }
    fields.read_only(
        "status",
        &json!("reqReserve"),
        "must be reqReserve, or left out",
    );
    if !fields.has("carId") {
        fields.reject("carId", "is required: the number of the car to reserve");
    }
    let car = fields.number("carId", 1, MAX_ID);
    fields.finish()?;
    Ok(CarId(car.unwrap_or_default()))
}

/// Checks that a PATCH changes nothing of a reservation but its status, and that to `reqCancel`. `current` are its fields
/// as GET returns them to the same principal: a client may send them back.
pub(super) fn check_cancellation(
    mut fields: Fields,
    current: &ReservationFields,
) -> Result<(), Problem> {
    fields.ignore("_links");
    fields.ignore_nulls(&["rsvId", "carId", "payId", "reason", "customerId"]);
    fields.read_only("rsvId", &json!(current.rsv_id), CANNOT_CHANGE);
    fields.read_only("carId", &json!(current.car_id), CANNOT_CHANGE);
    fields.read_only("payId", &json!(current.pay_id), CANNOT_CHANGE);
    fields.read_only("reason", &json!(current.reason), CANNOT_CHANGE);
    fields.read_only("customerId", &json!(current.customer_id), CANNOT_CHANGE);
    match fields.has("status") {
        true => fields.read_only(
            "status",
            &json!("reqCancel"),
            "can only be set to reqCancel",
        ),
        false => fields.reject("status", "is required, and can only be reqCancel"),
    }
    fields.finish()
}
