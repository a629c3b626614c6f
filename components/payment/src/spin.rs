//! How Spin calls this context: requests, events and calls of other contexts; and the adapters of the ports.
#![expect(unsafe_code, reason = "the export macros write the ABI glue")]

mod approvals;
mod customer_payments;
mod gateway;
mod records;

use crate::{http, ports::PaymentPorts, reactions};
use gateway::AnyGateway;
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
            package socar:payment-component;
            world offers {
                export socar:payment/approvals@1.0.0;
                export socar:customer-payments/approvals@1.0.0;
                export socar:payment/records@1.0.0;
            }
        ",
        with: { "socar:calls/types@1.0.0": kit::spin::calls::types },
        generate_all,
    });
}

struct Component;

const CONTEXT: ContextNames = ContextNames {
    id: "payment",
    plural: "payments",
};

bindings::export!(Component with_types_in bindings);
spin_sdk::wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let ports = ports().await;
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
