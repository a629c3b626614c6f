//! What travels over a link, a request of one kind and its response, and the target that it leads to. The guards of a link
//! need to know little of them, so that every kind of call passes the same ones.

use std::future::Future;
use std::time::{Duration, Instant};

use config::policy::MethodPriorities;
use http::StatusCode;
use resilience::Priority;
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use super::outcome::{AttemptError, PendingOutcome};
use crate::admission::BulkheadPermit;
use crate::call::Call;
use crate::span::Span;

/// A request that a link prepares only when the call is admitted: a rejected call costs no preparation.
pub trait PrepareRequest: Send {
    /// The prepared request.
    type Request: LinkRequest;

    /// The priority that the link gives the request.
    fn priority(&self, priorities: &MethodPriorities) -> Priority;

    /// The request to send on behalf of the call.
    fn prepare(self, call: &Call) -> Self::Request;
}

/// A request that is ready to be sent.
pub trait LinkRequest: Send + Sized {
    /// The response to it.
    type Response: LinkResponse;
    /// A copy, for another attempt.
    type Copy: Send + Sync;

    /// The request to send now, and its copy if it may be repeated.
    fn copied(self) -> impl Future<Output = (Self, Option<Self::Copy>)> + Send;

    /// Another request like the copy.
    fn repeat(copy: &Self::Copy) -> Self;

    /// Starts the span of an attempt to send it on behalf of the call, which a component makes.
    fn start_span(&self, call: &Call) -> Span;

    /// Hands on the trace of the call, whatever the component has set.
    fn hand_on_trace(&mut self, call: &Call);
}

/// A response, as far as the guards of a link are concerned.
pub trait LinkResponse: Send + Sized {
    /// The status, by which the response is classified.
    fn status(&self) -> StatusCode;

    /// Whether the target says when a later request may succeed.
    fn has_retry_after(&self) -> bool;

    /// Notes the response in the span of the attempt.
    fn describe(&self, span: &mut Span);

    /// The same response. It records the outcome when it is complete, and as timed out if that is not before `until`.
    fn classified(self, pending: PendingOutcome, until: Instant) -> Self;

    /// The same response. It holds the permit until it is complete.
    fn holding<T: LinkTarget>(self, permit: BulkheadPermit, deadline: Instant) -> Self;
}

/// What a link leads to.
pub trait LinkTarget: Send + Sync + 'static {
    /// Why an attempt has no response.
    type Error: AttemptError;

    /// The longest time that the target works on one call, if it is bounded.
    fn deadline(&self) -> Option<Duration>;

    /// When the last byte of the body must have arrived: `head` is the deadline of the head of the response, `overall`
    /// the end of the call.
    fn body_deadline(head: Instant, overall: Instant) -> Instant;

    /// Holds the permit until the last byte of the body.
    fn hold(body: WasiBody, permit: BulkheadPermit, deadline: Instant) -> WasiBody;
}

/// A target that handles requests of one kind.
pub trait Attempt<R: LinkRequest>: LinkTarget {
    /// Makes one attempt.
    fn attempt(
        &self,
        request: R,
        call: &Call,
        options: &RequestOptions,
    ) -> impl Future<Output = Result<R::Response, Self::Error>> + Send;
}
