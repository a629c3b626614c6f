//! The car context over HTTP.

use super::remote::Remote;
use crate::{
    ports::{Cars, HoldOutcome, ReleaseOutcome},
    responses,
};
use ::http::Method;
use events::{CarId, ReservationId};
use kit::{Origin, Unavailable, http::Response};
use serde_json::json;
use std::time::Duration;

const CAR: Remote = Remote {
    name: "car",
    url_variable: "car_url",
    timeout: Duration::from_millis(1500),
};

pub(super) struct SpinCars;

impl Cars for SpinCars {
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<HoldOutcome, Unavailable> {
        let response = post(origin, car, "hold", id).await?;
        responses::parse_hold(car, &response)
    }

    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, Unavailable> {
        let response = post(origin, car, "release", id).await?;
        responses::parse_release(car, &response)
    }
}

async fn post(
    origin: &Origin,
    car: CarId,
    command: &str,
    id: ReservationId,
) -> Result<Response, Unavailable> {
    let path = format!("/internal/cars/{car}/{command}");
    let body = json!({ "rsvId": id }).to_string();
    CAR.call(origin, Method::POST, &path, body).await
}
