//! Reading the bodies of requests.

use crate::domain::Reservation;
use events::CarId;
use kit::http::{Problem, Request, json::Fields};
use serde_json::{Value, json};

/// The greatest number that every JSON reader, and every column of the view, represents exactly.
const MAX_ID: u64 = (1 << 53) - 1;

const CANNOT_CHANGE: &str = "cannot be changed";

/// The car of a new reservation.
pub(super) fn car(request: &Request) -> Result<CarId, Problem> {
    let mut fields = Fields::from_request(request)?;
    fields.ignore("_links");
    fields.ignore_nulls(&["status"]);
    fields.read_only("rsvId", &Value::Null, "is given by the platform");
    fields.read_only("payId", &Value::Null, "is given by the platform");
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

/// Checks that a PATCH changes nothing of `reservation` but its status, and that to `reqCancel`.
pub(super) fn check_cancellation(
    mut fields: Fields,
    reservation: &Reservation,
) -> Result<(), Problem> {
    fields.ignore("_links");
    fields.ignore_nulls(&["rsvId", "carId", "payId"]);
    fields.read_only("rsvId", &json!(reservation.id), CANNOT_CHANGE);
    fields.read_only("carId", &json!(reservation.car), CANNOT_CHANGE);
    let payment = reservation.stage.payment();
    fields.read_only("payId", &json!(payment), CANNOT_CHANGE);
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
