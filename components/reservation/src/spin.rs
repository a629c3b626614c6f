//! How Spin wakes this context: the two exports, and the ports behind them.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod cars;
mod payments;

use crate::{
    Desk,
    guarded::Guarded,
    http,
    ports::{Aftermath, Unreachable},
    reactions,
};
use cars::SpinCars;
use kit::{
    Breaker,
    spin::{CallError, SpinPlatform},
};
use payments::SpinPayments;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    let platform = SpinPlatform::new("reservation");
    let desk = desk(&platform).await;
    kit::spin::serve(
        request,
        "reservations",
        async |request| http::answer(&desk, request).await,
        async |event| reactions::react(&desk, &event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), String> {
    let platform = SpinPlatform::new("reservation");
    let desk = desk(&platform).await;
    kit::spin::react(&message, async |event| {
        reactions::react(&desk, &event).await
    })
    .await
}

type SpinDesk<'a> = Desk<
    &'a SpinPlatform,
    Guarded<&'a SpinPlatform, SpinCars>,
    Guarded<&'a SpinPlatform, SpinPayments>,
>;

async fn desk(platform: &SpinPlatform) -> SpinDesk<'_> {
    let host_has_breakers = kit::spin::host_has_breakers().await;
    let breaker = |context| (!host_has_breakers).then(|| Breaker::new(platform, context));
    Desk {
        platform,
        cars: Guarded::new(SpinCars, breaker("car")),
        payments: Guarded::new(SpinPayments, breaker("payment")),
    }
}

/// A call without an answer.
fn silent(context: &str, error: &CallError) -> Unreachable {
    let (retry_after, aftermath) = match error {
        CallError::NotSent { retry_after, .. } => (*retry_after, Aftermath::Nothing),
        CallError::TimedOut(_) => (None, Aftermath::Silence),
        CallError::Failed(_) => (None, Aftermath::Unknown),
    };
    Unreachable {
        what: format!("the {context} context: {error}"),
        retry_after,
        aftermath,
    }
}
