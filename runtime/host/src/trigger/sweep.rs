//! Timer trigger: sends `POST /internal/sweep` to each component with a sweep period.
//!
//! The next sweep starts a full period after the end of the last one, so that sweeps of one component never overlap.

use std::time::Duration;

use ::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use resilience::Priority;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::body::full;
use crate::generation::Components;
use crate::ingress::Ingress;
use crate::span::{self, Span, SpanKind};
use crate::trace::{TRACEPARENT, Trace};
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
    let mut failure = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let result = sweep_once(&ingress, priority).await;
        report(ingress.component.id(), result, &mut failure);
    }
}

/// Logs a failure when it begins or has another cause, and its end: the same cause every few seconds says nothing new.
fn report(component: &str, result: Result<(), SweepFailure>, failure: &mut Option<String>) {
    match result {
        Ok(()) => {
            if failure.take().is_some() {
                info!(component, "sweeps succeed again");
            }
        }
        Err(SweepFailure { trace, cause }) => {
            if failure.as_ref() != Some(&cause) {
                let (request_id, trace_id, span_id) =
                    (trace.id(), trace.trace_id(), trace.span_id());
                warn!(
                    component,
                    request_id, trace_id, span_id, cause, "sweep failed"
                );
                *failure = Some(cause);
            }
        }
    }
}

/// Why a sweep failed.
#[derive(Debug)]
pub struct SweepFailure {
    trace: Trace,
    cause: String,
}

/// Sweeps one component once.
///
/// # Errors
/// When the component reports a failure, or has no response. A component without a sweep is no error.
pub async fn sweep_once(ingress: &Ingress, priority: Priority) -> Result<(), SweepFailure> {
    let Ingress {
        component, clock, ..
    } = ingress;
    let trace = Trace::fresh();
    let mut span = start_span(component.id(), &trace);
    let trace = span.inner_trace(&trace).unwrap_or(trace);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!(
            "http://{}.spin.internal/internal/sweep",
            component.id()
        ))
        .header(TRACEPARENT, trace.parent.clone())
        .body(full(""));
    let Ok(request) = request else {
        return Ok(());
    };
    let call = component.incoming_call(trace).with_min_priority(priority);
    let (id, trace) = (component.id(), call.trace.clone());
    let cause = match clock.call(request, call).await {
        Err(problem) => problem.to_string(),
        Ok(response) => {
            let status = response.status();
            let body = response.into_body().collect().await;
            if status.is_success() || status == StatusCode::NOT_FOUND {
                debug!(component = id, request_id = trace.id(), %status, "swept");
                return Ok(());
            }
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            detail(&body).unwrap_or_else(|| format!("the component answered {status}"))
        }
    };
    span.fail("sweep-failed", &cause);
    Err(SweepFailure { trace, cause })
}

/// Starts the span of a sweep.
pub fn start_span(component: &str, trace: &Trace) -> Span {
    let mut span = Span::start(SpanKind::Internal, trace, || {
        format!("sweep {component}").into()
    });
    span.describe(|| [span::text("socar.component", component)]);
    span
}

/// The longest detail in the log, in characters.
const LONGEST_DETAIL: usize = 300;

/// The detail of a problem document.
fn detail(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    let detail = problem.get("detail")?.as_str()?;
    Some(detail.chars().take(LONGEST_DETAIL).collect())
}
