//! How Spin calls this context: the two exported handlers, and the adapters of the ports.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

use crate::{http, reactions, repository::CarRepository};
use kit::spin::SpinPlatform;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let cars = CarRepository::new(SpinPlatform::new("car"));
    kit::spin::serve(
        request,
        "cars",
        async |request| http::handle(&cars, request).await,
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
