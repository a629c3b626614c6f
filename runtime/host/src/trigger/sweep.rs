//! The clock as a trigger: `POST /internal/sweep` to a component every so often.
//!
//! The next sweep starts a full period after the last one ended, so that a slow sweep is never joined by a second.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use resilience::Priority;
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::call::TRACEPARENT;
use crate::component::Component;
use crate::problem::full;
use crate::trace::Trace;

/// Sweeps one component until told to stop.
pub async fn sweep(
    component: Arc<Component>,
    period: Duration,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        sweep_once(&component).await;
    }
}

/// Sweeps one component now.
pub async fn sweep_once(component: &Component) {
    let link = &component.entrances().clock;
    let trace = Trace::fresh();
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!(
            "http://{}.spin.internal/internal/sweep",
            component.id()
        ))
        .header(TRACEPARENT, trace.parent.clone())
        .body(full(""));
    let Ok(request) = request else {
        return;
    };
    // A sweep gives money back and frees cars: it waits behind customers who do that, and nobody else.
    let call = component.arriving(trace).mattering(Priority::Reserving);
    let (id, request_id) = (component.id(), call.trace.id().to_owned());
    match link.call(component, request, call, None).await {
        Ok(response) => {
            let status = response.status();
            let _ = response.into_body().collect().await;
            match status {
                StatusCode::NOT_FOUND => debug!(component = id, request_id, "nothing to sweep"),
                status if status.is_success() => debug!(component = id, request_id, "swept"),
                status => warn!(component = id, request_id, %status, "sweep failed"),
            }
        }
        Err(problem) => warn!(component = id, request_id, %problem, "sweep failed"),
    }
}
