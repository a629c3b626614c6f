//! Spans of events, after the semantic conventions for messaging and for CloudEvents.

use super::{Attribute, Span, SpanKind, name, number, text};
use crate::event_envelope::EventEnvelope;
use crate::trace::Trace;
use event_log::EntryId;

/// An event on a stream.
pub struct EventOnStream<'e> {
    /// The stream.
    pub stream: &'e str,
    /// What the host reads of the event.
    pub envelope: &'e EventEnvelope<'e>,
}

/// An attempt to deliver an event to a component.
pub struct EventAttempt<'e> {
    /// The component.
    pub component: &'e str,
    /// The id of the entry in the event log.
    pub entry: EntryId,
    /// The failed attempts before this one.
    pub failures: u32,
}

// === impl EventOnStream ===

impl EventOnStream<'_> {
    /// Starts the span of the publication. `link` names the work that publishes the event, if it belongs to another trace.
    pub fn publish(&self, trace: &Trace, link: Option<&Trace>, component: &str) -> Span {
        let mut span = Span::start_linked(SpanKind::Producer, trace, link, || {
            format!("publish {}", self.stream).into()
        });
        span.describe(|| {
            [
                name("messaging.operation.type", "send"),
                name("messaging.operation.name", "publish"),
                text("socar.component", component),
            ]
        });
        span.describe(|| self.attributes());
        span
    }

    /// Starts the span of an attempt to deliver it, in the trace of the event and with a link to its publication.
    pub fn process(&self, trace: &Trace, attempt: &EventAttempt<'_>) -> Span {
        let publication = self.envelope.parent().is_some().then_some(trace);
        let mut span = Span::start_linked(SpanKind::Consumer, trace, publication, || {
            format!("process {}", self.stream).into()
        });
        span.describe(|| {
            [
                name("messaging.operation.type", "process"),
                name("messaging.operation.name", "process"),
                text("messaging.consumer.group.name", attempt.component),
                text("messaging.message.id", &attempt.entry.to_string()),
                number("socar.delivery.failures", attempt.failures),
                text("socar.component", attempt.component),
            ]
        });
        span.describe(|| self.attributes());
        span
    }

    fn attributes(&self) -> [Attribute; 6] {
        let [id, source, event_type, subject] = self.envelope.identity();
        let attribute = |key, value: Option<&str>| text(key, value.unwrap_or_default());
        [
            name("messaging.system", "socar"),
            text("messaging.destination.name", self.stream),
            attribute("cloudevents.event_id", id),
            attribute("cloudevents.event_source", source),
            attribute("cloudevents.event_type", event_type),
            attribute("cloudevents.event_subject", subject),
        ]
    }
}
