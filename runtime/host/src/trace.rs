//! Trace of a request: a W3C `traceparent` and an `x-request-id`, taken from the caller or generated.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header with the request id, which also appears in every log line of the request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Header of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Maximum length of an accepted request id, in bytes; a longer one is replaced.
const MAX_REQUEST_ID_LENGTH: usize = 128;

/// The two headers that every call of one request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`: version, trace id, parent id, flags.
    pub parent: HeaderValue,
    /// `x-request-id`: the id that the caller has sent, or else the trace id.
    pub request_id: HeaderValue,
}

impl Trace {
    /// Takes the well-formed headers of the caller and generates the missing ones.
    pub fn of(headers: &HeaderMap) -> Self {
        let parent = headers
            .get(TRACEPARENT)
            .filter(|value| well_formed(value.as_bytes()))
            .cloned();
        let request_id = headers
            .get(REQUEST_ID)
            .filter(|value| plausible(value.as_bytes()))
            .cloned();
        let parent = parent.unwrap_or_else(fresh_parent);
        let request_id = request_id.unwrap_or_else(|| trace_id(&parent));
        Self { parent, request_id }
    }

    /// Creates the trace of a call that starts in the host, such as a sweep.
    pub fn fresh() -> Self {
        let parent = fresh_parent();
        Self {
            request_id: trace_id(&parent),
            parent,
        }
    }

    /// Returns the request id as text, for log fields.
    pub fn id(&self) -> &str {
        self.request_id.to_str().unwrap_or("?")
    }
}

fn well_formed(value: &[u8]) -> bool {
    let hex = |part: &[u8]| {
        part.iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let nonzero = |part: &[u8]| part.iter().any(|byte| *byte != b'0');
    value.len() == 55
        && [value[2], value[35], value[52]] == *b"---"
        && hex(&value[..2])
        && &value[..2] != b"ff"
        && hex(&value[3..35])
        && nonzero(&value[3..35])
        && hex(&value[36..52])
        && nonzero(&value[36..52])
        && hex(&value[53..])
}

fn plausible(value: &[u8]) -> bool {
    !value.is_empty()
        && value.len() <= MAX_REQUEST_ID_LENGTH
        && value.iter().all(|byte| (0x21..0x7f).contains(byte))
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
                well_formed(trace.parent.as_bytes()),
                "{nonsense:?} gave {:?}",
                trace.parent
            );
        }
    }

    #[test]
    fn generated_traces_differ() {
        assert_ne!(Trace::fresh(), Trace::fresh());
    }
}
