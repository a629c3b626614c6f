//! What the answers of the other contexts mean, and which of them are theirs.
//!
//! At the address of a context something else may listen: a proxy, a page, the front end of this very
//! platform. Its 404 is no word about a car, and its 200 is no payment. So an answer is believed if it
//! names what it was asked about, or is the problem that the context gives for exactly that; any other
//! tells nothing about what became of the call.

use crate::ports::{Aftermath, Approval, Hold, Release, Unreachable};
use events::{CarId, PaymentId, ReservationId};
use http::StatusCode;
use kit::http::{Response, upstream};
use serde_json::Value;

/// What the car context says to a hold.
///
/// # Errors
///
/// When it is not known to be the car context that answers, or it cannot say.
pub fn to_hold(car: CarId, answer: &Response) -> Result<Hold, Unreachable> {
    match answer.status().as_u16() {
        200 => about("carId", car.0, answer)
            .and_then(|body| body["amount"].as_u64())
            .map(|amount| Hold::Held { amount }),
        404 => no_car(car, answer).map(|()| Hold::UnknownCar),
        409 => upstream::problem(answer, "car-not-available").map(|_| Hold::NotAvailable),
        _ => None,
    }
    .ok_or_else(|| senseless("car", answer))
}

/// What the car context says to a release.
///
/// # Errors
///
/// When it is not known to be the car context that answers, or it cannot say.
pub fn to_release(car: CarId, answer: &Response) -> Result<Release, Unreachable> {
    match answer.status().as_u16() {
        200 => about("carId", car.0, answer).map(|_| Release::Released),
        404 => no_car(car, answer).map(|()| Release::UnknownCar),
        _ => None,
    }
    .ok_or_else(|| senseless("car", answer))
}

/// What the payment context says to an approval.
///
/// # Errors
///
/// When it is not known to be the payment context that answers, or it cannot say.
pub fn to_approval(id: ReservationId, answer: &Response) -> Result<Approval, Unreachable> {
    match answer.status().as_u16() {
        200 | 201 => payment(id, answer).flatten().map(Approval::Paid),
        402 => upstream::problem(answer, "payment-declined").map(|_| Approval::Declined),
        503 if upstream::problem(answer, "payment-not-asked").is_some() => {
            return Err(Unreachable {
                aftermath: Aftermath::Nothing,
                ..senseless("payment", answer)
            });
        }
        _ => None,
    }
    .ok_or_else(|| senseless("payment", answer))
}

/// What the payment context says to a cancel.
///
/// # Errors
///
/// When it is not known to be the payment context that answers, or it cannot say.
pub fn to_cancel(id: ReservationId, answer: &Response) -> Result<(), Unreachable> {
    match to_question(id, answer)? {
        None => Ok(()),
        Some(_) => Err(senseless("payment", answer)),
    }
}

/// What the payment context says when asked how it stands: the payment, if it is paid now.
///
/// # Errors
///
/// When it is not known to be the payment context that answers, or it cannot say.
pub fn to_question(id: ReservationId, answer: &Response) -> Result<Option<PaymentId>, Unreachable> {
    match answer.status().as_u16() {
        200 => payment(id, answer),
        _ => None,
    }
    .ok_or_else(|| senseless("payment", answer))
}

/// The body of an answer, if it is about what was asked.
fn about(name: &str, number: u64, answer: &Response) -> Option<Value> {
    let body: Value = serde_json::from_slice(answer.body()).ok()?;
    (body[name] == number).then_some(body)
}

/// Whether it is the word of the car context: a path that leads nowhere has the same type, and no car.
fn no_car(car: CarId, answer: &Response) -> Option<()> {
    let problem = upstream::problem(answer, "not-found")?;
    (problem["carId"] == car.0).then_some(())
}

/// The payment of an answer that says `paid`; `None` for one that makes no sense.
fn payment(id: ReservationId, answer: &Response) -> Option<Option<PaymentId>> {
    let body = about("rsvId", id.0, answer)?;
    match body["status"].as_str()? {
        "paid" => Some(Some(PaymentId(body["payId"].as_u64()?))),
        _ => Some(None),
    }
}

/// An answer that tells nothing about what became of the call.
fn senseless(context: &str, response: &Response) -> Unreachable {
    Unreachable {
        what: format!("the {context} context answered {}", response.status()),
        retry_after: upstream::retry_after(response),
        aftermath: match response.status() {
            StatusCode::GATEWAY_TIMEOUT => Aftermath::Silence,
            _ => Aftermath::Unknown,
        },
    }
}

#[cfg(test)]
mod tests;
