//! Timer trigger: sends `POST /internal/sweep` to each component with a sweep period.
//!
//! The next sweep starts a full period after the end of the last one, so that sweeps of one component never overlap.

use std::time::Duration;

use ::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use resilience::Priority;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::body::full;
use crate::generation::Components;
use crate::ingress::Ingress;
use crate::trace::TRACEPARENT;
use crate::trace::Trace;
use config::manifest::App;

/// Sweep tasks of a generation. Dropping them aborts the tasks; [`Sweeps::stop`] lets a running sweep finish.
pub struct Sweeps {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

// === impl Sweeps ===

impl Sweeps {
    /// Starts a task for every component that has a sweep period.
    pub fn start(app: &App, components: &Components) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for component in &app.components {
            let swept = components.get(component.id.as_str());
            if let Some((period, swept)) = component.policy.sweep.zip(swept) {
                let priority = component.policy.sweep_priority;
                tasks.spawn(sweep(swept.clone(), period, priority, stop.clone()));
            }
        }
        Self { stop, tasks }
    }

    /// Stops all tasks, and returns when the running sweeps have finished.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Sweeps one component periodically until `stop` is cancelled.
async fn sweep(
    ingress: Ingress,
    period: Duration,
    priority: Priority,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            () = stop.cancelled() => return Ok(()),
        }
        sweep_once(&ingress, priority).await;
    }
}

/// Sweeps one component once and logs the result.
pub async fn sweep_once(ingress: &Ingress, priority: Priority) {
    let Ingress {
        component, clock, ..
    } = ingress;
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
    let call = component.incoming_call(trace).with_min_priority(priority);
    let (id, request_id) = (component.id(), call.trace.id().to_owned());
    match clock.call(request, call).await {
        Ok(response) => {
            let status = response.status();
            let _ = response.into_body().collect().await;
            match status {
                StatusCode::NOT_FOUND => {
                    debug!(component = id, request_id, "component has no sweep")
                }
                status if status.is_success() => debug!(component = id, request_id, "swept"),
                status => warn!(component = id, request_id, %status, "sweep failed"),
            }
        }
        Err(problem) => warn!(component = id, request_id, %problem, "sweep failed"),
    }
}
