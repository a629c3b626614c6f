//! The car context, called over HTTP: in-process by service chaining, or wherever `car_url` says.

use super::silent;
use crate::{
    answers,
    ports::{Cars, Hold, Release, Unreachable},
};
use ::http::Method;
use events::{CarId, ReservationId};
use kit::{
    Origin,
    http::Response,
    spin::{HttpClient, variable},
};
use serde_json::json;
use std::time::Duration;

/// How long the car context may take.
const LIMIT: Duration = Duration::from_millis(1500);

pub(super) struct SpinCars;

impl Cars for SpinCars {
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<Hold, Unreachable> {
        let answer = post(origin, car, "hold", id).await?;
        answers::to_hold(car, &answer)
    }

    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<Release, Unreachable> {
        let answer = post(origin, car, "release", id).await?;
        answers::to_release(car, &answer)
    }
}

async fn post(
    origin: &Origin,
    car: CarId,
    command: &str,
    id: ReservationId,
) -> Result<Response, Unreachable> {
    let url = format!(
        "{}/internal/cars/{car}/{command}",
        variable("car_url").await
    );
    let body = json!({ "rsvId": id }).to_string();
    HttpClient::new(LIMIT)
        .call(Method::POST, &url, &origin.headers(), body)
        .await
        .map_err(|error| silent("car", &error))
}
