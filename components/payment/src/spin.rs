//! How Spin wakes this context: the two exports, and the ports behind them.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod gateway;

use crate::{Payments, http, reactions};
use gateway::AnyGateway;
use kit::spin::SpinPlatform;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    let payments = payments().await;
    kit::spin::serve(
        request,
        "payments",
        async |request| http::answer(&payments, request).await,
        async |event| reactions::react(&payments, &event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), String> {
    let payments = payments().await;
    kit::spin::react(&message, async |event| {
        reactions::react(&payments, &event).await
    })
    .await
}

async fn payments() -> Payments<SpinPlatform, AnyGateway> {
    Payments::new(SpinPlatform::new("payment"), AnyGateway::configured().await)
}
