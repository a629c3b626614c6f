//! Trace of a request: a W3C `traceparent` and an `x-request-id`, taken from the caller or generated, and the headers that
//! travel with them.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use http_conventions::trace::{self as conventions, Traceparent, is_request_id};

/// Header with the request id, which also appears in every log line of the request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static(conventions::REQUEST_ID);

/// Header of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static(conventions::TRACEPARENT);

/// Headers that are sent on with a `traceparent` as they are: positions in the traces of other vendors, and properties of
/// the application.
const COMPANIONS: [HeaderName; 2] = [
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

/// The longest companion that is sent on, in bytes: the limit of W3C Baggage.
const MAX_COMPANION_LENGTH: usize = 8192;

/// The headers that every call of one request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`: version, trace id, parent id, flags.
    pub parent: HeaderValue,
    /// `x-request-id`: the id that the caller has sent, or else the trace id.
    pub request_id: HeaderValue,
    /// `tracestate` and `baggage` of the caller, if it has sent them.
    companions: Arc<[(HeaderName, HeaderValue)]>,
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
        let companions = match parent {
            Some(_) => companions(headers),
            None => Arc::default(),
        };
        let parent = parent.map_or_else(fresh_parent, known_parent);
        let request_id = request_id.unwrap_or_else(|| trace_id(&parent));
        Self {
            parent,
            request_id,
            companions,
        }
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
        }
    }

    /// Returns the request id as text, for log fields.
    pub fn id(&self) -> &str {
        self.request_id.to_str().unwrap_or("?")
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

fn companions(headers: &HeaderMap) -> Arc<[(HeaderName, HeaderValue)]> {
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
    let found = COMPANIONS.into_iter();
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
        .get(3..35)
        .and_then(|id| HeaderValue::from_bytes(id).ok())
        .unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn well_formed_headers_of_the_caller_are_kept() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::of(&headers(&[
            ("traceparent", parent),
            ("x-request-id", "order-7"),
        ]));
        assert_eq!(trace.parent, parent);
        assert_eq!(trace.request_id, "order-7");
    }

    #[test]
    fn the_request_id_defaults_to_the_trace_id() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::of(&headers(&[("traceparent", parent)]));
        assert_eq!(trace.request_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_malformed_traceparent_is_replaced() {
        for nonsense in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "🚗",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                TRACEPARENT,
                HeaderValue::from_bytes(nonsense.as_bytes()).unwrap(),
            );
            let trace = Trace::of(&headers);
            assert!(
                Traceparent::parse(trace.parent.as_bytes()).is_some(),
                "{nonsense:?} gave {:?}",
                trace.parent
            );
        }
    }

    #[test]
    fn a_higher_version_is_sent_on_as_version_00() {
        let known = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        let future = format!("cc-{known}-01-what-the-future-will-be-like");
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, future.parse().unwrap());
        let trace = Trace::of(&headers);
        assert_eq!(trace.parent, format!("00-{known}-01"));
        assert_eq!(trace.request_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn state_and_baggage_travel_with_the_trace() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut sent = headers(&[("traceparent", parent), ("baggage", "user=1")]);
        sent.append("tracestate", HeaderValue::from_static("a=1"));
        sent.append("tracestate", HeaderValue::from_static("b=2"));
        let trace = Trace::of(&sent);
        let passed: HeaderMap = trace
            .headers()
            .map(|(name, value)| (name, value.clone()))
            .collect();
        assert_eq!(passed["tracestate"], "a=1,b=2");
        assert_eq!(passed["baggage"], "user=1");
        sent.append(TRACEPARENT, HeaderValue::from_static("another"));
        let restarted = Trace::of(&sent);
        assert_ne!(restarted.parent, parent);
        assert_eq!(restarted.headers().count(), 2);
    }

    #[test]
    fn a_client_cannot_pass_a_request_off_as_an_event() {
        let trace = Trace::of(&headers(&[("x-request-id", "payment/1/1")]));
        assert_ne!(trace.request_id, "payment/1/1");
    }

    #[test]
    fn generated_traces_differ() {
        assert_ne!(Trace::fresh(), Trace::fresh());
    }
}
