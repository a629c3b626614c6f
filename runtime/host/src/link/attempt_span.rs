//! The span of one attempt, of a call that a component makes. A retry has a span of its own.
//!
//! The span begins before the breaker, so that a call that is cut off is seen in the trace of its caller.

use std::borrow::Cow;

use super::outcome::AttemptError;
use super::request::{LinkRequest, LinkResponse};
use crate::call::Call;
use crate::span::{self, Span};

/// The span of an attempt. If it is dropped before the attempt has ended, the caller has left.
pub(super) struct AttemptSpan {
    span: Span,
    is_ended: bool,
}

// === impl AttemptSpan ===

impl AttemptSpan {
    /// Starts the span of an attempt after this many others, and hands its trace on with the request. Calls from outside have
    /// none: the span of the request says everything.
    pub fn start<'c, R: LinkRequest>(
        request: &mut R,
        call: &'c Call,
        link: &str,
        resends: u32,
    ) -> (Self, Cow<'c, Call>) {
        let mut span = match call.caller() {
            Some(_) => request.start_span(call),
            None => Span::default(),
        };
        span.describe(|| {
            let is_retry = resends > 0;
            [
                span::text("socar.link", link),
                is_retry
                    .then(|| span::number("http.request.resend_count", resends))
                    .flatten(),
            ]
        });
        let call = call.within(&span);
        if let Cow::Owned(call) = &call {
            request.hand_on_trace(call);
        }
        let span = Self {
            span,
            is_ended: false,
        };
        (span, call)
    }

    /// Notes how the attempt ended.
    pub fn end<A: LinkResponse, E: AttemptError>(mut self, result: &Result<A, E>) {
        self.is_ended = true;
        match result {
            Ok(response) => response.describe(&mut self.span),
            Err(error) => self.span.fail(error.error_type(), error),
        }
    }
}

impl Drop for AttemptSpan {
    fn drop(&mut self) {
        if !self.is_ended {
            self.span.fail("cancelled", "the caller has left");
        }
    }
}
