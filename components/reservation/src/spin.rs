//! How Spin calls this context: requests, events and calls of other contexts; and the adapters of the ports.
#![expect(unsafe_code, reason = "the export macros write the ABI glue")]

mod cars;
mod payments;
mod records;
mod remote;

use crate::{http, ports::ReservationPorts, reactions, with_breaker::WithBreaker};
use cars::SpinCars;
use kit::{Breaker, EventFailure, spin::SpinPlatform};
use payments::SpinPayments;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

/// The interfaces that this context offers to other contexts; `wit/worlds.wit` shows the whole world of the component.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package socar:reservation-component;
            world offers {
                export socar:reservation/records@1.0.0;
            }
        ",
        with: { "socar:calls/types@1.0.0": kit::spin::calls::types },
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let platform = SpinPlatform::new("reservation");
    let ports = ports(&platform).await;
    kit::spin::serve(
        request,
        "reservations",
        async |request| http::handle(&ports, request).await,
        async |event| reactions::react(&ports, &event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), EventFailure> {
    let platform = SpinPlatform::new("reservation");
    let ports = ports(&platform).await;
    kit::spin::react(&message, async |event| {
        reactions::react(&ports, &event).await
    })
    .await
}

type SpinPorts<'a> = ReservationPorts<
    &'a SpinPlatform,
    WithBreaker<&'a SpinPlatform, SpinCars>,
    WithBreaker<&'a SpinPlatform, SpinPayments>,
>;

async fn ports(platform: &SpinPlatform) -> SpinPorts<'_> {
    let host_has_breakers = kit::spin::host_has_breakers().await;
    let breaker = |context| (!host_has_breakers).then(|| Breaker::new(platform, context));
    ReservationPorts {
        platform,
        cars: WithBreaker::new(SpinCars, breaker("car")),
        payments: WithBreaker::new(SpinPayments, breaker("payment")),
    }
}
