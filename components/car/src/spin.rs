//! How Spin calls this context: requests, events and calls of other contexts; and the adapters of the ports.
#![expect(unsafe_code, reason = "the export macros write the ABI glue")]

mod holds;
mod records;

use crate::{http, reactions, repository::CarRepository};
use kit::{
    EventFailure,
    spin::{ContextNames, SpinPlatform},
};
use spin_sdk::{
    redis_subscriber,
    wasip3::{
        exports::http::handler::Guest,
        http::types::{ErrorCode, Request, Response},
    },
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

const CONTEXT: ContextNames = ContextNames {
    id: "car",
    plural: "cars",
};

bindings::export!(Component with_types_in bindings);
spin_sdk::wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let cars = repository();
        kit::spin::serve(
            request,
            CONTEXT,
            async |request| http::handle(&cars, request).await,
            async |event| reactions::react(&cars, &event).await,
        )
        .await
    }
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
