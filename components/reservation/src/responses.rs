//! Parsing the HTTP responses of the car and the payment context.
//!
//! At the address of a context another server may listen: a proxy, or the front end of this platform. A 404 from such
//! a server is no statement about a car, and its 200 is no payment. So a response counts only if it carries the
//! identifier of the request, or is the problem document that the context returns in exactly that case. Any other
//! response leaves the effect of the call unknown.

use crate::ports::{ApprovalOutcome, HoldOutcome, ReleaseOutcome};
use events::{CarId, PaymentId, ReservationId};
use http::StatusCode;
use kit::{
    Effect, Unavailable,
    http::{Response, upstream},
};
use serde_json::Value;

/// The car context's response to a hold of `car`.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the car context's.
pub fn parse_hold(car: CarId, response: &Response) -> Result<HoldOutcome, Unavailable> {
    match response.status().as_u16() {
        200 => body_about("carId", car.0, response)
            .and_then(|body| body["amount"].as_u64())
            .map(|amount| HoldOutcome::Held { amount }),
        404 => unknown_car(car, response).map(|()| HoldOutcome::UnknownCar),
        409 => upstream::problem(response, "car-not-available").map(|_| HoldOutcome::NotAvailable),
        _ => None,
    }
    .ok_or_else(|| unexpected("car", response))
}

/// The car context's response to a release of `car`.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the car context's.
pub fn parse_release(car: CarId, response: &Response) -> Result<ReleaseOutcome, Unavailable> {
    match response.status().as_u16() {
        200 => body_about("carId", car.0, response).map(|_| ReleaseOutcome::Released),
        404 => unknown_car(car, response).map(|()| ReleaseOutcome::UnknownCar),
        _ => None,
    }
    .ok_or_else(|| unexpected("car", response))
}

/// The payment context's response to an approval of the reservation `id`.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the payment context's.
pub fn parse_approval(
    id: ReservationId,
    response: &Response,
) -> Result<ApprovalOutcome, Unavailable> {
    match response.status().as_u16() {
        200 | 201 => payment(id, response).flatten().map(ApprovalOutcome::Paid),
        402 => upstream::problem(response, "payment-declined").map(|_| ApprovalOutcome::Declined),
        503 if upstream::problem(response, "payment-not-asked").is_some() => {
            return Err(Unavailable {
                effect: Effect::None,
                ..unexpected("payment", response)
            });
        }
        _ => None,
    }
    .ok_or_else(|| unexpected("payment", response))
}

/// The payment context's response to a cancel of the reservation `id`.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the payment context's.
pub fn parse_cancellation(id: ReservationId, response: &Response) -> Result<(), Unavailable> {
    match parse_paid_payment(id, response)? {
        None => Ok(()),
        Some(_) => Err(unexpected("payment", response)),
    }
}

/// The payment context's response to a query for the payment of the reservation `id`; `None` when it is not paid.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the payment context's.
pub fn parse_paid_payment(
    id: ReservationId,
    response: &Response,
) -> Result<Option<PaymentId>, Unavailable> {
    match response.status().as_u16() {
        200 => payment(id, response),
        _ => None,
    }
    .ok_or_else(|| unexpected("payment", response))
}

/// The body of a response, if its field `name` is the number of the request.
fn body_about(name: &str, number: u64, response: &Response) -> Option<Value> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    (body[name] == number).then_some(body)
}

/// Whether the car context reports an unknown car. The 404 of an unknown path has the same type, but no `carId`.
fn unknown_car(car: CarId, response: &Response) -> Option<()> {
    let problem = upstream::problem(response, "not-found")?;
    (problem["carId"] == car.0).then_some(())
}

/// The payment of a response with status `paid`; the outer `None` is a response of another form.
fn payment(id: ReservationId, response: &Response) -> Option<Option<PaymentId>> {
    let body = body_about("rsvId", id.0, response)?;
    match body["status"].as_str()? {
        "paid" => Some(Some(PaymentId(body["payId"].as_u64()?))),
        _ => Some(None),
    }
}

/// The error of a response that leaves the effect of the call unknown.
fn unexpected(context: &str, response: &Response) -> Unavailable {
    Unavailable {
        message: format!("the {context} context answered {}", response.status()),
        retry_after: upstream::retry_after(response),
        effect: match response.status() {
            StatusCode::GATEWAY_TIMEOUT => Effect::TimedOut,
            _ => Effect::Unknown,
        },
    }
}

#[cfg(test)]
mod tests;
