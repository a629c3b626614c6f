//! The other contexts over HTTP: in-process by service chaining, or at the addresses that variables name.

use crate::{
    ports::{ContextClient, ContextError, ResourceSnapshot},
    source_context::SourceContext,
};
use ::http::{Method, header};
use kit::{
    http::Response,
    spin::{HttpClient, variable},
};
use std::time::Duration;

/// The timeout of one call.
const TIMEOUT: Duration = Duration::from_millis(1500);

pub(super) struct SpinContextClient;

impl ContextClient for SpinContextClient {
    async fn read(
        &self,
        context: SourceContext,
        path: &str,
    ) -> Result<Option<ResourceSnapshot>, ContextError> {
        let base = match context {
            SourceContext::Car => variable("car_url").await,
            SourceContext::Reservation => variable("reservation_url").await,
            SourceContext::Payment => variable("payment_url").await,
        };
        let url = format!("{base}{path}");
        let failed = |why: String| ContextError(format!("{url}: {why}"));
        let response = HttpClient::new(TIMEOUT)
            .call(Method::GET, &url, &[], String::new())
            .await
            .map_err(|error| failed(error.to_string()))?;
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => return Err(failed(format!("answered {status}"))),
        }
        let body = serde_json::from_slice(response.body());
        Ok(Some(ResourceSnapshot {
            body: body.map_err(|error| failed(error.to_string()))?,
            version: version(&response),
        }))
    }
}

/// The version in an `ETag`.
fn version(response: &Response) -> Option<u64> {
    let tag = response.headers().get(header::ETAG)?;
    tag.to_str().ok()?.trim_matches('"').parse().ok()
}
