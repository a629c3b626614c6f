//! `socar:car/holds` over HTTP.

use super::{Component, bindings::exports::socar::car::holds as wit, guarded::guarded};
use crate::holds::{HoldRefusal, parse_hold, parse_release};
use events::CarId;
use http::Method;
use kit::{
    Unavailable,
    http::Response,
    spin::{RemoteContext, calls::types},
};
use serde_json::json;
use std::time::Duration;

const CAR: RemoteContext = RemoteContext {
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
        let response = post(&origin, car, "hold", reservation);
        let answer = guarded(&CAR, response, |held| parse_hold(CarId(car), held));
        Ok(answer.await??)
    }

    async fn release(
        origin: types::Origin,
        car: wit::CarId,
        reservation: wit::ReservationId,
    ) -> Result<(), wit::ReleaseError> {
        let response = post(&origin, car, "release", reservation);
        let answer = guarded(&CAR, response, |released| {
            parse_release(CarId(car), released)
        });
        answer.await?.map_err(|_| wit::ReleaseError::UnknownCar)
    }
}

async fn post(
    origin: &types::Origin,
    car: u64,
    command: &str,
    reservation: u64,
) -> Result<Response, Unavailable> {
    let path = format!("/internal/cars/{car}/{command}");
    let body = json!({ "rsvId": reservation }).to_string();
    CAR.send(origin, Method::POST, &path, body).await
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
