//! How Spin wakes this context: the two exports, and the ports behind them.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod cars;
mod payments;

use crate::{Desk, http, ports::Unreachable, reactions};
use cars::SpinCars;
use kit::{
    http::Response,
    spin::{CallError, SpinPlatform},
};
use payments::SpinPayments;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    let desk = desk();
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
    let desk = desk();
    kit::spin::react(&message, async |event| {
        reactions::react(&desk, &event).await
    })
    .await
}

fn desk() -> Desk<SpinPlatform, SpinCars, SpinPayments> {
    Desk {
        platform: SpinPlatform::new("reservation"),
        cars: SpinCars,
        payments: SpinPayments,
    }
}

/// An answer that tells nothing about what became of the call.
fn senseless(context: &str, response: &Response) -> Unreachable {
    let retry_after = response.headers().get("retry-after");
    Unreachable {
        what: format!("the {context} context answered {}", response.status()),
        retry_after: retry_after
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok()),
    }
}

/// A call without an answer.
fn silent(context: &str, error: &CallError) -> Unreachable {
    Unreachable {
        what: format!("the {context} context: {error}"),
        retry_after: None,
    }
}
