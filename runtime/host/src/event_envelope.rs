//! The envelope of an event, as far as the host reads and writes it: CloudEvents 1.0 in its JSON form, with the extension
//! for distributed tracing (`traceparent`, `tracestate`).
//!
//! The host is the part of the publisher that knows the trace. It fills in what the guest could not know, and leaves
//! everything else as it is, byte by byte.

use std::borrow::Cow;
use std::ops::Deref;

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use event_log::without_byte_order_mark;

use crate::trace::{REQUEST_ID, TRACEPARENT, TRACESTATE, Trace};

/// The attributes that the host reads.
#[derive(Debug, Default, Deserialize)]
pub struct EventEnvelope<'e> {
    #[serde(borrow)]
    specversion: Option<Text<'e>>,
    #[serde(borrow)]
    id: Option<Text<'e>>,
    #[serde(borrow)]
    source: Option<Text<'e>>,
    #[serde(borrow)]
    r#type: Option<Text<'e>>,
    #[serde(borrow)]
    subject: Option<Text<'e>>,
    #[serde(borrow)]
    traceparent: Option<Text<'e>>,
    #[serde(borrow)]
    tracestate: Option<Text<'e>>,
    #[serde(borrow)]
    correlationid: Option<Text<'e>>,
}

/// A text that is a part of the message, unless it has escapes.
#[derive(Debug, Deserialize)]
struct Text<'e>(#[serde(borrow)] Cow<'e, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

// === impl EventEnvelope ===

impl<'e> EventEnvelope<'e> {
    /// Reads the envelope. A message that is not an event has an empty envelope.
    pub fn read(message: &'e [u8]) -> Self {
        serde_json::from_slice(without_byte_order_mark(message)).unwrap_or_default()
    }

    /// Whether the message is an event.
    pub fn is_event(&self) -> bool {
        self.specversion.is_some() && self.id.is_some()
    }

    /// The attributes that identify the event: `id`, `source`, `type`, `subject`.
    pub fn identity(&self) -> [Option<&str>; 4] {
        [&self.id, &self.source, &self.r#type, &self.subject].map(Option::as_deref)
    }

    /// The trace of the event. An event without a trace starts a new one.
    pub fn trace(&self) -> Trace {
        let mut headers = HeaderMap::with_capacity(3);
        let pairs = [
            (TRACEPARENT, &self.traceparent),
            (TRACESTATE, &self.tracestate),
            (REQUEST_ID, &self.correlationid),
        ];
        for (name, value) in pairs {
            let value = value.as_deref().map(HeaderValue::from_str);
            if let Some(Ok(value)) = value {
                headers.insert(name, value);
            }
        }
        Trace::of(&headers).of_event()
    }

    /// `traceparent` as a header.
    pub fn parent(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.traceparent.as_deref()?).ok()
    }

    /// The event with this `traceparent`, and with the `tracestate` of its trace if it has none. `None` if there is nothing
    /// to change.
    pub fn with_context(
        &self,
        message: &'e [u8],
        parent: Option<&str>,
        trace: &Trace,
    ) -> Option<Vec<u8>> {
        let mut added = String::new();
        let mut replaced = None;
        match (parent, &self.traceparent) {
            (Some(parent), Some(Text(Cow::Borrowed(old)))) if old.len() == parent.len() => {
                replaced = Some((old.as_ptr().addr() - message.as_ptr().addr(), parent));
            }
            (Some(parent), None) => push(&mut added, TRACEPARENT.as_str(), parent),
            _ => {}
        }
        let is_of_trace = self.traceparent.as_deref().is_none_or(|it| trace.is_of(it));
        let state = trace.state().and_then(|state| state.to_str().ok());
        if let (Some(state), None, true) = (state, &self.tracestate, is_of_trace) {
            push(&mut added, TRACESTATE.as_str(), state);
        }
        if replaced.is_none() && added.is_empty() {
            return None;
        }
        let mut event = message.to_vec();
        if let Some((start, parent)) = replaced {
            event[start..start + parent.len()].copy_from_slice(parent.as_bytes());
        }
        // An event has members, so that the new ones end with a comma.
        let begin = event.iter().position(|byte| *byte == b'{')? + 1;
        event.splice(begin..begin, added.into_bytes());
        Some(event)
    }
}

/// Appends a member with a comma.
fn push(members: &mut String, name: &str, value: &str) {
    let value = serde_json::Value::from(value);
    members.push_str(&format!("\"{name}\":{value},"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const SPAN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";

    fn trace(state: &'static str) -> Trace {
        Trace::of(&HeaderMap::from_iter([
            (TRACEPARENT, HeaderValue::from_static(PARENT)),
            (TRACESTATE, HeaderValue::from_static(state)),
        ]))
    }

    /// The event as the host publishes it.
    fn published(event: &str, parent: Option<&str>, trace: &Trace) -> Option<String> {
        let envelope = EventEnvelope::read(event.as_bytes());
        let changed = envelope.with_context(event.as_bytes(), parent, trace);
        changed.map(|event| String::from_utf8(event).unwrap())
    }

    #[test]
    fn an_event_carries_the_trace_of_its_request() {
        let event = format!(
            r#"{{"id":"1","traceparent":"{PARENT}","tracestate":"a=1","correlationid":"order-7","data":{{}}}}"#
        );
        let found = EventEnvelope::read(event.as_bytes()).trace();
        assert_eq!(found.parent, PARENT);
        assert_eq!(found.request_id, "order-7");
        assert_eq!(found.state(), Some(&HeaderValue::from_static("a=1")));
    }

    #[test]
    fn a_message_that_is_not_an_event_gets_a_new_trace() {
        let trace = || EventEnvelope::read(b"hello").trace();
        assert_ne!(trace(), trace());
    }

    #[test]
    fn a_published_event_names_its_span_and_nothing_else_changes() {
        let event = format!(
            r#"{{ "specversion":"1.0", "id":"1", "data":{{"traceparent":"{PARENT}"}}, "traceparent":"{PARENT}" }}"#
        );
        let expected = event.replacen(
            &format!(r#"}}, "traceparent":"{PARENT}""#),
            &format!(r#"}}, "traceparent":"{SPAN}""#),
            1,
        );
        let changed = published(&event, Some(SPAN), &Trace::fresh());
        assert_eq!(changed.as_deref(), Some(&*expected));
        assert_eq!(published(&event, None, &Trace::fresh()), None);
    }

    #[test]
    fn what_an_event_lacks_is_added() {
        let event = r#"{"specversion":"1.0","id":"1"}"#;
        let changed = published(event, Some(SPAN), &trace("a=\"1\"")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&changed).unwrap();
        assert_eq!(json["traceparent"], SPAN);
        assert_eq!(json["tracestate"], "a=\"1\"");
        assert_eq!(json["id"], "1");
    }

    #[test]
    fn the_state_of_another_trace_is_not_added() {
        let other = PARENT.replace("4bf9", "aaaa");
        let event =
            |parent: &str| format!(r#"{{"specversion":"1.0","id":"1","traceparent":"{parent}"}}"#);
        assert!(published(&event(PARENT), None, &trace("a=1")).is_some());
        assert_eq!(published(&event(&other), None, &trace("a=1")), None);
        let with_state = event(PARENT).replace("\"id\"", "\"tracestate\":\"b=2\",\"id\"");
        assert_eq!(published(&with_state, None, &trace("a=1")), None);
    }
}
