//! Trace of a request: a W3C `traceparent` and an `x-request-id`, taken from the caller or generated, and the headers that
//! travel with them.

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use http_conventions::trace::{self as conventions, Traceparent, is_request_id};

/// Header with the request id, which also appears in every log line of the request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static(conventions::REQUEST_ID);

/// Header of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static(conventions::TRACEPARENT);

/// Header of W3C Trace Context for the data of vendors.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Headers that are sent on with a `traceparent` as they are: positions in the traces of other vendors, and properties of
/// the application.
const COMPANIONS: [HeaderName; 2] = [TRACESTATE, HeaderName::from_static("baggage")];

/// The longest companion that is sent on, in bytes: the limit of W3C Baggage.
const MAX_COMPANION_LENGTH: usize = 8192;

/// Where the parts of a `traceparent` are.
const TRACE_ID: Range<usize> = 3..35;
const SPAN_ID: Range<usize> = 36..52;
const FLAGS: Range<usize> = 53..55;

/// The headers that every call of one request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`: version, trace id, parent id, flags.
    pub parent: HeaderValue,
    /// `x-request-id`: the id that the caller has sent, or else the trace id.
    pub request_id: HeaderValue,
    /// `tracestate` and `baggage` of the caller, if it has sent them.
    companions: Arc<[(HeaderName, HeaderValue)]>,
    source: ParentSource,
    /// The `traceparent` of the event that a guest handles. A guest that sends it on means `parent`.
    event_parent: Option<HeaderValue>,
}

/// The program that has made a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentSource {
    /// This host, because there was none: no span has its parent id.
    Generated,
    /// The caller, or the publisher of the event.
    Remote,
    /// This host, for a span.
    Span,
}

impl Trace {
    /// Takes the well-formed headers of the caller and generates the missing ones.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(TRACEPARENT).iter();
        let parent = Traceparent::from_lines(lines.map(HeaderValue::as_bytes));
        let request_id = headers
            .get(REQUEST_ID)
            .filter(|value| is_accepted(value.as_bytes()))
            .cloned();
        let source = match parent {
            Some(_) => ParentSource::Remote,
            None => ParentSource::Generated,
        };
        let companions = companions(headers, source);
        let parent = parent.map_or_else(fresh_parent, known_parent);
        let request_id = request_id.unwrap_or_else(|| trace_id(&parent));
        Self {
            parent,
            request_id,
            companions,
            source,
            event_parent: None,
        }
    }

    /// The same trace for the guest that handles an event with this trace.
    #[must_use]
    pub fn of_event(mut self) -> Self {
        let is_known = self.source == ParentSource::Remote;
        self.event_parent = is_known.then(|| self.parent.clone());
        self
    }

    /// All headers of the trace.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let own = [(TRACEPARENT, &self.parent), (REQUEST_ID, &self.request_id)];
        let companions = self.companions.iter();
        own.into_iter()
            .chain(companions.map(|(name, value)| (name.clone(), value)))
    }

    /// Creates the trace of a call that starts in the host, such as a sweep.
    pub fn fresh() -> Self {
        let parent = fresh_parent();
        Self {
            request_id: trace_id(&parent),
            parent,
            companions: Arc::default(),
            source: ParentSource::Generated,
            event_parent: None,
        }
    }

    /// Returns the request id as text, for log fields.
    pub fn id(&self) -> &str {
        self.request_id.to_str().unwrap_or("?")
    }

    /// The trace id for log fields, if anything outside of this host's log has it: a caller, or an exported span.
    pub fn trace_id(&self) -> Option<&str> {
        self.known_part(TRACE_ID)
    }

    /// The id of the span that the work belongs to, for log fields. Without an exporter it is that of the caller.
    pub fn span_id(&self) -> Option<&str> {
        self.known_part(SPAN_ID)
    }

    fn known_part(&self, part: Range<usize>) -> Option<&str> {
        let is_known = self.source != ParentSource::Generated;
        let parent = self.parent.to_str().ok().filter(|_| is_known)?;
        parent.get(part)
    }

    /// The program that has made `parent`.
    pub fn source(&self) -> ParentSource {
        self.source
    }

    /// `tracestate`, if the caller has sent it.
    pub fn state(&self) -> Option<&HeaderValue> {
        let mut companions = self.companions.iter();
        let state = companions.find(|(name, _)| *name == TRACESTATE);
        state.map(|(_, value)| value)
    }

    /// Whether a `traceparent` is in this trace.
    pub fn is_of(&self, traceparent: &str) -> bool {
        let own = self.parent.as_bytes().get(TRACE_ID);
        own.is_some() && own == traceparent.as_bytes().get(TRACE_ID)
    }

    /// The same trace, whose `traceparent` names a span of this host.
    #[must_use]
    pub fn with_span(&self, parent: HeaderValue) -> Self {
        Self {
            parent,
            source: ParentSource::Span,
            ..self.clone()
        }
    }

    /// The same trace for programs that continue it and must not record it. `None` if it says so already.
    pub fn unsampled(&self) -> Option<Self> {
        let mut parent = self.parent.as_bytes().to_vec();
        let flags = parent.get_mut(FLAGS).filter(|flags| *flags != b"00")?;
        flags.copy_from_slice(b"00");
        Some(self.with_span(HeaderValue::from_bytes(&parent).ok()?))
    }

    /// The trace that a guest continues with this `traceparent`: its own one, unless the guest names another. The second
    /// value is whether it does.
    pub fn continued_with(&self, given: Option<&HeaderValue>) -> (Self, bool) {
        let is_own = |given: &HeaderValue| {
            *given == self.parent || self.event_parent.as_ref() == Some(given)
        };
        let other = given
            .filter(|given| !is_own(given))
            .and_then(|given| Traceparent::parse(given.as_bytes()));
        match other {
            None => (self.clone(), false),
            Some(other) => {
                let trace = Self {
                    parent: known_parent(other),
                    source: ParentSource::Remote,
                    ..self.clone()
                };
                (trace, true)
            }
        }
    }
}

/// Whether a client may choose this request id. The ids of events contain `/`, and an event names the request or the event
/// that caused it.
fn is_accepted(request_id: &[u8]) -> bool {
    is_request_id(request_id) && !request_id.contains(&b'/')
}

fn known_parent(parent: Traceparent) -> HeaderValue {
    HeaderValue::from_str(parent.as_str()).unwrap_or_else(|_| fresh_parent())
}

/// The companions that are sent on. A `tracestate` belongs to a `traceparent`, and baggage to the request.
fn companions(headers: &HeaderMap, source: ParentSource) -> Arc<[(HeaderName, HeaderValue)]> {
    let is_sent_on = |name: &HeaderName| *name != TRACESTATE || source == ParentSource::Remote;
    let joined = |name: &HeaderName| {
        let values: Vec<&[u8]> = headers
            .get_all(name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        let value = values.join(b",".as_slice());
        let fits = !value.is_empty() && value.len() <= MAX_COMPANION_LENGTH;
        fits.then(|| HeaderValue::from_bytes(&value).ok()).flatten()
    };
    let found = COMPANIONS.into_iter().filter(is_sent_on);
    found
        .filter_map(|name| joined(&name).map(|value| (name, value)))
        .collect()
}

fn fresh_parent() -> HeaderValue {
    // The ids must be unique but not secret. A generator in the process avoids a system call for every rejected request.
    let mut random = [0_u8; 24];
    fastrand::fill(&mut random);
    random[0] |= 1;
    random[16] |= 1;
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    push_hex(&mut text, &random[..16]);
    text.push('-');
    push_hex(&mut text, &random[16..]);
    text.push_str("-01");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
}

fn trace_id(parent: &HeaderValue) -> HeaderValue {
    parent
        .as_bytes()
        .get(TRACE_ID)
        .and_then(|id| HeaderValue::from_bytes(id).ok())
        .unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests;
