//! The log of requests: one line for each request that failed, and with `--access-log` one line for every request.

use std::time::Instant;

use http::{Method, Response, StatusCode};
use tracing::{info, warn};
use wasmtime_wasi_http::WasiBody;

use crate::log_limiter::LogLimiter;
use crate::problem::Problem;
use crate::trace::Trace;

/// Lines about failures with the same cause in ten seconds. The next one has the number of those that were left out.
const FAILURES_PER_CAUSE: u32 = 10;

/// Logs the requests of a listener.
pub struct RequestLog {
    failures: LogLimiter,
    access: AccessLog,
}

/// Whether every request is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLog {
    Off,
    On,
}

/// A request until its response.
pub struct LoggedRequest {
    /// Its method.
    pub method: Method,
    /// Its path, without the query, which may hold secrets.
    pub path: String,
    /// Its trace, with its id.
    pub trace: Trace,
    /// When its head had arrived.
    pub since: Instant,
    /// The route that it has matched.
    pub route: Option<String>,
    /// The component that it was routed to.
    pub component: Option<String>,
}

// === impl RequestLog ===

impl RequestLog {
    /// A log with or without lines for requests that succeed.
    pub fn new(access: AccessLog) -> Self {
        Self {
            failures: LogLimiter::new(FAILURES_PER_CAUSE),
            access,
        }
    }

    /// Logs how a request ended: with a response of a component, or with a problem.
    pub fn ended(&self, request: &LoggedRequest, result: &Result<Response<WasiBody>, Problem>) {
        let status = match result {
            Ok(response) => response.status(),
            Err(problem) => problem.status(),
        };
        if status.is_server_error() {
            self.failed(request, status, result.as_ref().err());
        }
        if self.access == AccessLog::On {
            let milliseconds = request.since.elapsed().as_millis();
            info!(
                target: "access",
                method = %request.method,
                path = request.path,
                status = status.as_u16(),
                request_id = request.trace.id(),
                trace_id = request.trace.trace_id(),
                span_id = request.trace.span_id(),
                component = request.component,
                milliseconds,
                "request"
            );
        }
    }

    fn failed(&self, request: &LoggedRequest, status: StatusCode, problem: Option<&Problem>) {
        let component = request.component.as_deref().unwrap_or_default();
        let cause = match problem {
            Some(problem) => problem.to_string(),
            None => "the component answered so".to_owned(),
        };
        let kind = problem.map_or("", Problem::slug);
        let Some(suppressed) = self.failures.admit(&format!("{component} {status} {kind}")) else {
            return;
        };
        let LoggedRequest {
            method,
            path,
            trace,
            ..
        } = request;
        let (request_id, trace_id, span_id) = (trace.id(), trace.trace_id(), trace.span_id());
        let status = status.as_u16();
        warn!(
            %method,
            path, status, request_id, trace_id, span_id, component, cause, suppressed, "request failed"
        );
    }
}
