//! How Spin calls this context: the two exported handlers, and the adapters of the ports.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod gateway;

use crate::{http, ports::PaymentPorts, reactions};
use gateway::AnyGateway;
use kit::spin::SpinPlatform;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    let ports = ports().await;
    kit::spin::serve(
        request,
        "payments",
        async |request| http::handle(&ports, request).await,
        async |event| reactions::react(&ports, &event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), String> {
    let ports = ports().await;
    kit::spin::react(&message, async |event| {
        reactions::react(&ports, &event).await
    })
    .await
}

async fn ports() -> PaymentPorts<SpinPlatform, AnyGateway> {
    PaymentPorts {
        platform: SpinPlatform::new("payment"),
        gateway: AnyGateway::configured().await,
    }
}
