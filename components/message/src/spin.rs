//! How Spin calls this context: the two exported handlers, and the adapters of the ports.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod platform;

use crate::{http, reactions, repository::MessageRepository};
use kit::{EventFailure, spin::ContextNames};
use platform::PlatformWithoutLog;
use spin_sdk::{
    redis_subscriber,
    wasip3::{
        exports::http::handler::Guest,
        http::types::{ErrorCode, Request, Response},
    },
};

struct Component;

const CONTEXT: ContextNames = ContextNames {
    id: "message",
    plural: "messages",
};

spin_sdk::wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let messages = MessageRepository::new(PlatformWithoutLog::new());
        kit::spin::serve(
            request,
            CONTEXT,
            async |request| http::handle(&messages, request).await,
            async |event| reactions::react(&messages, &event).await,
        )
        .await
    }
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), EventFailure> {
    let messages = MessageRepository::new(PlatformWithoutLog::new());
    kit::spin::react(&message, async |event| {
        reactions::react(&messages, &event).await
    })
    .await
}
