//! An event that a guest publishes: its span, its trace context and its count.
//!
//! The guest knows the trace in which it works, but not the span of the publication, which the host makes. The event gets
//! the context of that span, so that its deliveries lead back to it. A guest that publishes on behalf of an earlier
//! request, such as a sweep, names the trace of that request in the event: the publication belongs to that trace.

use std::sync::Arc;

use metrics::counter;

use crate::bus::{BusError, RedisReply};
use crate::event_envelope::EventEnvelope;
use crate::span::messaging::EventOnStream;
use crate::span::{self, Span};
use crate::trace::Trace;
use event_log::EVENT_FIELD;

/// The command that appends an entry to a stream.
const APPEND: &str = "XADD";

/// An event on its way to the event log.
pub struct PublishedEvent {
    component: Arc<str>,
    stream: String,
    span: Span,
}

// === impl PublishedEvent ===

impl PublishedEvent {
    /// The event that a command publishes, if it does. The event in `arguments` gets its trace context.
    pub fn of(
        command: &str,
        arguments: &mut [Vec<u8>],
        component: &Arc<str>,
        trace: Option<&Trace>,
    ) -> Option<Self> {
        if !command.eq_ignore_ascii_case(APPEND) {
            return None;
        }
        let trace = trace?;
        let (stream, fields) = arguments.split_first_mut()?;
        let stream = String::from_utf8_lossy(stream).into_owned();
        let name = fields
            .iter()
            .position(|field| field == EVENT_FIELD.as_bytes())?;
        let message = fields.get_mut(name + 1)?;
        let mut published = Self {
            component: component.clone(),
            stream,
            span: Span::default(),
        };
        if let Some(event) = published.start(message, trace) {
            *message = event;
        }
        Some(published)
    }

    /// Starts the span, and returns the event with its context.
    fn start(&mut self, message: &[u8], trace: &Trace) -> Option<Vec<u8>> {
        if !span::is_on() && trace.state().is_none() {
            return None;
        }
        let envelope = EventEnvelope::read(message);
        if !envelope.is_event() {
            return None;
        }
        let (parent, is_other) = trace.continued_with(envelope.parent().as_ref());
        let event = EventOnStream {
            stream: &self.stream,
            envelope: &envelope,
        };
        self.span = event.publish(&parent, is_other.then_some(trace), &self.component);
        let parent = self.span.parent();
        let parent = parent.as_ref().and_then(|parent| parent.to_str().ok());
        envelope.with_context(message, parent, trace)
    }

    /// Notes the reply to the command.
    pub fn replied(mut self, reply: &Result<Vec<RedisReply>, BusError>) {
        match reply {
            Ok(replies) => {
                let (component, stream) = (self.component.to_string(), self.stream);
                counter!("socar_published_events_total", "component" => component, "stream" => stream)
                    .increment(1);
                self.span.describe(|| {
                    [match replies.first() {
                        Some(RedisReply::Binary(id)) => {
                            span::text("messaging.message.id", &String::from_utf8_lossy(id))
                        }
                        _ => None,
                    }]
                });
            }
            Err(error) => self.span.fail("not-published", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    use crate::trace::{TRACEPARENT, TRACESTATE};

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trace(state: Option<&'static str>) -> Trace {
        let parent = (TRACEPARENT, HeaderValue::from_static(PARENT));
        let state = state.map(|state| (TRACESTATE, HeaderValue::from_static(state)));
        Trace::of(&[parent].into_iter().chain(state).collect::<HeaderMap>())
    }

    /// The arguments of a command after the host has seen them, and whether they publish an event.
    fn seen(command: &str, arguments: &[&str], state: Option<&'static str>) -> (Vec<String>, bool) {
        let mut arguments: Vec<Vec<u8>> = arguments.iter().map(|it| (*it).into()).collect();
        let trace = trace(state);
        let published = PublishedEvent::of(command, &mut arguments, &"car".into(), Some(&trace));
        let texts = arguments
            .into_iter()
            .map(|it| String::from_utf8(it).unwrap());
        (texts.collect(), published.is_some())
    }

    #[test]
    fn the_state_of_a_trace_reaches_its_events() {
        let event = r#"{"specversion":"1.0","id":"1"}"#;
        let (arguments, is_published) = seen("xadd", &["s", "*", "event", event], Some("a=1"));
        let expected = r#"{"tracestate":"a=1","specversion":"1.0","id":"1"}"#;
        assert_eq!(arguments, ["s", "*", "event", expected]);
        assert!(is_published);
        assert_eq!(
            seen("XADD", &["s", "*", "event", event], None).0[3],
            event,
            "there is nothing to add"
        );
    }

    #[test]
    fn what_is_no_event_stays_as_it_is() {
        for (command, arguments) in [
            (
                "PUBLISH",
                &["s", "{\"specversion\":\"1.0\",\"id\":\"1\"}"][..],
            ),
            ("XADD", &["s", "*", "other", "{}"]),
            ("XADD", &["s", "*", "event"]),
            ("XADD", &[]),
        ] {
            let (after, is_published) = seen(command, arguments, Some("a=1"));
            assert_eq!(
                (after, is_published),
                (arguments.iter().map(|it| (*it).to_owned()).collect(), false)
            );
        }
        let message = ["s", "*", "event", "{\"id\":\"1\"}"];
        let (after, is_published) = seen("XADD", &message, Some("a=1"));
        assert_eq!(after, message);
        assert!(is_published, "it is counted all the same");
    }
}
