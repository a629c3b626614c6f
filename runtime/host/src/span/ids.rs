//! The ids of spans and traces.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;

thread_local! {
    /// The id of the trace whose first span is being started on this thread.
    static TRACE: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Makes ids as [`crate::trace`] does: unique, and not secret.
#[derive(Debug)]
pub struct SpanIds;

impl IdGenerator for SpanIds {
    fn new_trace_id(&self) -> TraceId {
        let given = TRACE.take();
        given.unwrap_or_else(|| TraceId::from(fastrand::u128(1..)))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(fastrand::u64(1..))
    }
}

/// Starts a span. If it is the first one of its trace, the trace gets this id.
pub fn in_trace<S>(id: Option<TraceId>, start: impl FnOnce() -> S) -> S {
    TRACE.set(id);
    let span = start();
    TRACE.set(None);
    span
}
