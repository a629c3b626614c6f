//! The HTTP export of the component, which calls [`crate::answer`].

use spin_sdk::wasip3::{
    exports::http::handler::Guest,
    http::types::{ErrorCode, Request, Response},
};

struct Component;

spin_sdk::wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (head, _) = guest_http::receive(request)?;
        guest_http::respond(crate::answer(&head.method, head.uri.path(), &head.headers))
    }
}
