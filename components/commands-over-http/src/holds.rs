//! `socar:car/holds`: the responses of the car context.

use crate::answer::{Answer, body_about};
use events::CarId;
use kit::http::{Response, upstream};

/// Why a car is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRefusal {
    /// Another reservation has the car.
    NotAvailable,
    /// No such car exists.
    UnknownCar,
}

/// No such car exists, so nothing is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCar;

/// The response to a hold of `car`: the price in won.
///
/// # Errors
///
/// [`kit::Unavailable`] when the response is an error, or is not recognisable as the car context's.
pub fn parse_hold(car: CarId, response: &Response) -> Answer<u64, HoldRefusal> {
    match response.status().as_u16() {
        200 => body_about("carId", car.0, response)
            .and_then(|body| body["amount"].as_u64())
            .map(Ok),
        404 => unknown_car(car, response).map(|()| Err(HoldRefusal::UnknownCar)),
        409 => {
            upstream::problem(response, "car-not-available").map(|_| Err(HoldRefusal::NotAvailable))
        }
        _ => None,
    }
    .ok_or_else(|| upstream::unexpected("car", response))
}

/// The response to a release of `car`.
///
/// # Errors
///
/// [`kit::Unavailable`] when the response is an error, or is not recognisable as the car context's.
pub fn parse_release(car: CarId, response: &Response) -> Answer<(), UnknownCar> {
    match response.status().as_u16() {
        200 => body_about("carId", car.0, response).map(|_| Ok(())),
        404 => unknown_car(car, response).map(|()| Err(UnknownCar)),
        _ => None,
    }
    .ok_or_else(|| upstream::unexpected("car", response))
}

/// Whether the car context reports an unknown car. The 404 of an unknown path has the same type, but no `carId`.
fn unknown_car(car: CarId, response: &Response) -> Option<()> {
    let problem = upstream::problem(response, "not-found")?;
    (problem["carId"] == car.0).then_some(())
}

#[cfg(test)]
mod tests;
