//! The other contexts, asked over HTTP: in-process by service chaining, or wherever their URLs say.

use crate::ports::{ContextClient, ContextError, ResourceSnapshot, SourceContext};
use ::http::{Method, header};
use kit::spin::{HttpClient, variable};
use std::time::Duration;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_millis(1500);

pub(super) struct SpinContextClient;

impl ContextClient for SpinContextClient {
    async fn read(
        &self,
        owner: SourceContext,
        path: &str,
    ) -> Result<Option<ResourceSnapshot>, ContextError> {
        let base = match owner {
            SourceContext::Car => variable("car_url").await,
            SourceContext::Reservation => variable("reservation_url").await,
            SourceContext::Payment => variable("payment_url").await,
        };
        let unreachable = |why: String| ContextError(format!("{base}{path}: {why}"));
        let answer = HttpClient::new(LIMIT)
            .call(Method::GET, &format!("{base}{path}"), &[], String::new())
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => return Err(unreachable(format!("answered {status}"))),
        }
        let tag = answer.headers().get(header::ETAG);
        let version = tag.and_then(|tag| tag.to_str().ok()?.trim_matches('"').parse().ok());
        let body = serde_json::from_slice(answer.body());
        let body = body.map_err(|error| unreachable(error.to_string()))?;
        Ok(Some(ResourceSnapshot { body, version }))
    }
}
