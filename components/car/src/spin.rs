//! How Spin calls this context: requests, events and calls of other contexts; and the adapters of the ports.
#![expect(unsafe_code, reason = "the export macros write the ABI glue")]

mod holds;
mod records;

use crate::{http, reactions, repository::CarRepository};
use kit::{EventFailure, spin::SpinPlatform};
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};

/// The interfaces that this context offers to other contexts; `wit/worlds.wit` shows the whole world of the component.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package socar:car-component;
            world offers {
                export socar:car/holds@1.0.0;
                export socar:car/records@1.0.0;
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
    let cars = repository();
    kit::spin::serve(
        request,
        "cars",
        async |request| http::handle(&cars, request).await,
        async |event| reactions::react(&cars, &event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), EventFailure> {
    let cars = repository();
    kit::spin::react(&message, async |event| {
        reactions::react(&cars, &event).await
    })
    .await
}

fn repository() -> CarRepository<SpinPlatform> {
    CarRepository::new(SpinPlatform::new("car"))
}
