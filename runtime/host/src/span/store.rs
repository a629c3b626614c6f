//! Spans of operations on stores, databases and Redis servers, after the semantic conventions for databases. Only a host that
//! is asked for them records them: a reservation has about sixty.
//!
//! Neither keys, values nor statements are recorded: they hold the data of customers.

use super::{RECORDER, Span, SpanKind, text};
use crate::trace::Trace;

/// The longest name of an operation: that of a statement is its first word, whatever a guest writes.
const MAX_OPERATION: usize = 24;

/// Whether operations on stores have spans.
pub fn is_on() -> bool {
    RECORDER.get().is_some_and(|recorder| recorder.stores)
}

/// Starts the span of an operation. `label` is that of the store or database.
pub fn operation(
    trace: &Trace,
    system: &'static str,
    operation: &str,
    label: Option<&str>,
) -> Span {
    if !is_on() {
        return Span::default();
    }
    let operation = operation.split_whitespace().next().unwrap_or_default();
    let operation = &operation[..operation.floor_char_boundary(MAX_OPERATION)];
    let label = label.unwrap_or_default();
    let mut span = Span::start(SpanKind::Client, trace, || match label {
        "" => operation.to_owned().into(),
        label => format!("{operation} {label}").into(),
    });
    span.describe(|| {
        [
            text("db.system.name", system),
            text("db.operation.name", operation),
            text("db.namespace", label),
        ]
    });
    span
}
