//! Calls of functions on a link. A response is complete when the function returns. It is never repeated, because the
//! host does not know whether a function is idempotent, and no fallback stands in for it.

use std::convert::Infallible;
use std::time::Instant;

use config::policy::MethodPriorities;
use http::StatusCode;
use resilience::Priority;

use super::fallback::{FallbackRequest, LinkFallback, RequestKey};
use super::outcome::{CallOutcome, PendingOutcome};
use super::request::{LinkRequest, LinkResponse, LinkTarget, PrepareRequest};
use crate::admission::BulkheadPermit;
use crate::call::Call;
use crate::function::{FunctionName, FunctionOutcome, FunctionRequest, FunctionResponse};
use crate::span::{self, Span, SpanKind};

impl PrepareRequest for FunctionRequest {
    type Request = Self;

    fn priority(&self, priorities: &MethodPriorities) -> Priority {
        priorities.of_functions()
    }

    fn prepare(mut self, call: &Call) -> Self {
        self.set_origin(call);
        self
    }
}

impl LinkRequest for FunctionRequest {
    type Response = FunctionResponse;
    type Copy = Infallible;

    async fn copied(self) -> (Self, Option<Infallible>) {
        (self, None)
    }

    fn repeat(copy: &Infallible) -> Self {
        match *copy {}
    }

    fn start_span(&self, call: &Call) -> Span {
        let FunctionName {
            interface,
            function,
        } = &self.name;
        let mut span = Span::start(SpanKind::Client, &call.trace, || {
            format!("{interface}/{function}").into()
        });
        span.describe(|| {
            [
                span::name("rpc.system", "wit"),
                span::text("rpc.service", interface),
                span::text("rpc.method", function),
            ]
        });
        span
    }

    fn hand_on_trace(&mut self, call: &Call) {
        self.set_origin(call);
    }
}

impl LinkResponse for FunctionResponse {
    /// The status with which the same response over HTTP would be classified.
    fn status(&self) -> StatusCode {
        match self.outcome() {
            FunctionOutcome::Done => StatusCode::OK,
            FunctionOutcome::Refused => StatusCode::CONFLICT,
            FunctionOutcome::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn has_retry_after(&self) -> bool {
        let has_retry_after = true;
        self.outcome() == FunctionOutcome::Unavailable { has_retry_after }
    }

    /// A refusal is a result of the domain, and no error.
    fn describe(&self, span: &mut Span) {
        let outcome = self.outcome();
        span.describe(|| [span::name("socar.function.outcome", outcome.label())]);
        if let FunctionOutcome::Unavailable { .. } = outcome {
            span.fail(outcome.label(), "");
        }
    }

    fn classified(self, mut pending: PendingOutcome, _: Instant) -> Self {
        pending.record(CallOutcome::Success);
        self
    }

    fn holding<T: LinkTarget>(self, _: BulkheadPermit, _: Instant) -> Self {
        self
    }
}

impl FallbackRequest for FunctionRequest {
    fn fallback_key(&self, _: &LinkFallback) -> RequestKey {
        RequestKey::Nothing
    }

    fn store(_: &LinkFallback, _: RequestKey, response: FunctionResponse) -> FunctionResponse {
        response
    }

    async fn respond(_: &LinkFallback, _: RequestKey, _: &Call) -> Option<FunctionResponse> {
        None
    }
}
