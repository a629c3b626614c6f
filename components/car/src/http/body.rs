//! Reading the bodies of requests.

use crate::domain::{Car, CarDetails, MAX_AMOUNT, MAX_TEXT};
use events::ReservationId;
use kit::http::{Problem, Request, json::Fields};
use serde_json::{Value, json};

/// Whether a body describes a whole car (POST, PUT) or a change of one (PATCH).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    /// A name is required; null means that an optional field is unset.
    Complete,
    /// No field is required; null unsets an optional field (RFC 7396).
    Partial,
}

/// The fields that a complete body can omit.
const OPTIONAL: [&str; 4] = ["carId", "carType", "amount", "status"];

const STATUS_IS_DERIVED: &str = "follows from the car's bookings and cannot be set";

/// The details of a new car.
pub(super) fn registration(request: &Request) -> Result<CarDetails, Problem> {
    let mut fields = fields(request, Completeness::Complete)?;
    fields.read_only("carId", &Value::Null, "is given by the platform");
    fields.read_only("status", &json!("available"), STATUS_IS_DERIVED);
    parse(fields, &CarDetails::default(), Completeness::Complete)
}

/// The new details of `car`; fields that the body lacks are taken from `defaults`.
pub(super) fn details(
    mut fields: Fields,
    car: &Car,
    defaults: &CarDetails,
    completeness: Completeness,
) -> Result<CarDetails, Problem> {
    fields.read_only("carId", &json!(car.id()), "cannot be changed");
    let status = json!(car.status().as_str());
    fields.read_only("status", &status, STATUS_IS_DERIVED);
    parse(fields, defaults, completeness)
}

/// The fields of a body, still unchecked.
pub(super) fn fields(request: &Request, completeness: Completeness) -> Result<Fields, Problem> {
    let mut fields = Fields::from_request(request)?;
    if completeness == Completeness::Complete {
        fields.ignore_nulls(&OPTIONAL);
    }
    Ok(fields)
}

/// The reservation of a hold or release.
pub(super) fn reservation(request: &Request) -> Result<ReservationId, Problem> {
    let mut fields = Fields::from_request(request)?;
    let id = fields.number("rsvId", 1, u64::MAX);
    if id.is_none() {
        fields.reject("rsvId", "is required");
    }
    fields.finish()?;
    Ok(ReservationId(id.unwrap_or_default()))
}

fn parse(
    mut fields: Fields,
    defaults: &CarDetails,
    completeness: Completeness,
) -> Result<CarDetails, Problem> {
    fields.ignore("_links");
    if completeness == Completeness::Complete && !fields.has("carName") {
        fields.reject("carName", "is required");
    }
    let mut details = defaults.clone();
    if fields.take_null("carType") {
        details.kind.clear();
    }
    if fields.take_null("amount") {
        details.amount = 0;
    }
    let name = fields.text("carName", 1, MAX_TEXT);
    let kind = fields.text("carType", 0, MAX_TEXT);
    let amount = fields.number("amount", 0, MAX_AMOUNT);
    fields.finish()?;
    Ok(CarDetails {
        name: name.unwrap_or(details.name),
        kind: kind.unwrap_or(details.kind),
        amount: amount.unwrap_or(details.amount),
    })
}
