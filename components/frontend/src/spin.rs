//! The HTTP export of the component, which calls [`crate::answer`].

use bytes::Bytes;
use spin_sdk::http::{FullBody, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> http::Response<FullBody<Bytes>> {
    crate::answer(request.method(), request.uri().path(), request.headers()).map(FullBody::new)
}
