//! How Spin wakes the screen: one HTTP export, which hands the request to [`crate::answer`] and knows nothing else.

use bytes::Bytes;
use spin_sdk::http::{FullBody, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> http::Response<FullBody<Bytes>> {
    crate::answer(request.method(), request.uri().path(), request.headers()).map(FullBody::new)
}
