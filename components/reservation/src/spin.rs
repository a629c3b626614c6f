//! How Spin calls this context: requests, events and calls of other contexts; and the adapters of the ports.
#![expect(unsafe_code, reason = "the export macros write the ABI glue")]

mod cars;
mod payments;
mod records;

use crate::{http, ports::ReservationPorts, reactions};
use cars::SpinCars;
use kit::{
    EventFailure,
    spin::{ContextNames, SpinPlatform},
};
use payments::SpinPayments;
use spin_sdk::{
    redis_subscriber,
    wasip3::{
        exports::http::handler::Guest,
        http::types::{ErrorCode, Request, Response},
    },
};

/// The interfaces that this context uses of other contexts and offers to them; `wit/worlds.wit` shows the whole world of the component.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package socar:reservation-component;
            world contracts {
                import socar:car/holds@1.0.0;
                import socar:payment/approvals@1.0.0;
                import socar:customer-payments/approvals@1.0.0;
                export socar:reservation/records@1.0.0;
            }
        ",
        with: { "socar:calls/types@1.0.0": kit::spin::calls::types },
        generate_all,
    });
}

struct Component;

const CONTEXT: ContextNames = ContextNames {
    id: "reservation",
    plural: "reservations",
};

bindings::export!(Component with_types_in bindings);
spin_sdk::wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let platform = SpinPlatform::new("reservation");
        let ports = ports(&platform);
        kit::spin::serve(
            request,
            CONTEXT,
            async |request| http::handle(&ports, request).await,
            async |event| reactions::react(&ports, &event).await,
        )
        .await
    }
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), EventFailure> {
    let platform = SpinPlatform::new("reservation");
    let ports = ports(&platform);
    kit::spin::react(&message, async |event| {
        reactions::react(&ports, &event).await
    })
    .await
}

fn ports(platform: &SpinPlatform) -> ReservationPorts<&SpinPlatform, SpinCars, SpinPayments> {
    ReservationPorts {
        platform,
        cars: SpinCars,
        payments: SpinPayments,
    }
}
