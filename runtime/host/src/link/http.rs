//! HTTP requests and responses on a link. A response is complete at the last byte of its body.

use std::time::Instant;

use config::policy::MethodPriorities;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use resilience::Priority;
use wasmtime_wasi_http::WasiBody;

use super::fallback::{FallbackRequest, LinkFallback, RequestKey};
use super::outcome::{PendingOutcome, classified};
use super::request::{LinkRequest, LinkResponse, LinkTarget, PrepareRequest};
use crate::admission::BulkheadPermit;
use crate::call::Call;
use crate::replay::Replay;
use crate::span::{self, Span};
use crate::trace::TRACEPARENT;

impl PrepareRequest for Request<WasiBody> {
    type Request = Self;

    fn priority(&self, priorities: &MethodPriorities) -> Priority {
        priorities.of(self.method())
    }

    fn prepare(self, _: &Call) -> Self {
        self
    }
}

impl LinkRequest for Request<WasiBody> {
    type Response = Response<WasiBody>;
    type Copy = Replay;

    async fn copied(self) -> (Self, Option<Replay>) {
        Replay::of(self).await
    }

    fn repeat(copy: &Replay) -> Self {
        copy.request()
    }

    /// A request that the component sends for another trace belongs to that trace, and is linked to this one.
    fn start_span(&self, call: &Call) -> Span {
        let given = self.headers().get(TRACEPARENT);
        let (trace, is_other) = call.trace.continued_with(given);
        span::http::client(self, &trace, is_other.then_some(&call.trace))
    }

    fn hand_on_trace(&mut self, call: &Call) {
        call.replace_traceparent(self.headers_mut());
    }
}

impl LinkResponse for Response<WasiBody> {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn has_retry_after(&self) -> bool {
        self.headers().contains_key(RETRY_AFTER)
    }

    fn describe(&self, span: &mut Span) {
        span::http::received(span, self.status());
    }

    fn classified(self, pending: PendingOutcome, until: Instant) -> Self {
        classified(self, pending, until)
    }

    fn holding<T: LinkTarget>(self, permit: BulkheadPermit, deadline: Instant) -> Self {
        self.map(|body| T::hold(body, permit, deadline))
    }
}

impl FallbackRequest for Request<WasiBody> {
    fn fallback_key(&self, fallback: &LinkFallback) -> RequestKey {
        fallback.key(self)
    }

    fn store(
        fallback: &LinkFallback,
        key: RequestKey,
        response: Response<WasiBody>,
    ) -> Response<WasiBody> {
        fallback.store(key, response)
    }

    async fn respond(
        fallback: &LinkFallback,
        key: RequestKey,
        call: &Call,
    ) -> Option<Response<WasiBody>> {
        fallback.respond(key, call).await
    }
}
