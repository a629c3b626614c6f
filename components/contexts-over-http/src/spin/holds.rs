//! `socar:car/holds` over HTTP.

use super::{
    Component,
    bindings::exports::socar::car::holds as wit,
    remote::{Call, Remote},
};
use crate::holds::{HoldRefusal, parse_hold, parse_release};
use events::CarId;
use http::Method;
use kit::{Unavailable, spin::calls::types};
use serde_json::json;
use std::time::Duration;

const CAR: Remote = Remote {
    name: "car",
    url_variable: "car_url",
    timeout: Duration::from_millis(1500),
};

impl wit::Guest for Component {
    async fn hold(
        origin: types::Origin,
        car: wit::CarId,
        reservation: wit::ReservationId,
    ) -> Result<wit::Won, wit::HoldError> {
        let call = command(&origin, car, "hold", reservation);
        let answer = CAR.call(call, |response| parse_hold(CarId(car), response));
        Ok(answer.await??)
    }

    async fn release(
        origin: types::Origin,
        car: wit::CarId,
        reservation: wit::ReservationId,
    ) -> Result<(), wit::ReleaseError> {
        let call = command(&origin, car, "release", reservation);
        let answer = CAR.call(call, |response| parse_release(CarId(car), response));
        answer.await?.map_err(|_| wit::ReleaseError::UnknownCar)
    }
}

fn command<'a>(origin: &'a types::Origin, car: u64, name: &str, reservation: u64) -> Call<'a> {
    Call {
        origin,
        method: Method::POST,
        path: format!("/internal/cars/{car}/{name}"),
        body: json!({ "rsvId": reservation }).to_string(),
    }
}

impl From<HoldRefusal> for wit::HoldError {
    fn from(refusal: HoldRefusal) -> Self {
        match refusal {
            HoldRefusal::NotAvailable => Self::NotAvailable,
            HoldRefusal::UnknownCar => Self::UnknownCar,
        }
    }
}

impl From<Unavailable> for wit::HoldError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable.into())
    }
}

impl From<Unavailable> for wit::ReleaseError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable.into())
    }
}
