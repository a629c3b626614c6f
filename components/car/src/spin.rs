//! How Spin wakes this context: the two exports, and the ports behind them.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

use crate::{CarRepository, http, reactions};
use kit::spin::SpinPlatform;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    let cars = CarRepository::new(SpinPlatform::new("car"));
    kit::spin::serve(
        request,
        "cars",
        async |request| http::answer(&cars, request).await,
        async |event| reactions::react(&cars, &event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), String> {
    let cars = CarRepository::new(SpinPlatform::new("car"));
    kit::spin::react(&message, async |event| {
        reactions::react(&cars, &event).await
    })
    .await
}
