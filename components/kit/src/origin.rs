//! Where a call comes from: the thread that leads from a customer's request through every context
//! and event it touches.

use events::CloudEvent;
use http::HeaderMap;

/// The header that carries the correlation id.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// The correlation and cause of what is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The request that started it all.
    pub correlation_id: String,
    /// The request or event that directly causes what is done now.
    pub causation_id: String,
    /// W3C trace context: `00-<32 hex>-<16 hex>-<2 hex>`.
    pub traceparent: String,
}

impl Origin {
    /// A new thread, begun by nobody's request; `unique` is 32 hexadecimal digits.
    #[must_use]
    pub fn new(unique: &str) -> Self {
        Self {
            correlation_id: unique.into(),
            causation_id: unique.into(),
            traceparent: traceparent(unique),
        }
    }

    /// The thread of a request: its headers where they are well formed, new ids where not.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, unique: &str) -> Self {
        let request_id = header(headers, REQUEST_ID).filter(|id| is_request_id(id));
        let trace = header(headers, TRACEPARENT).filter(|trace| is_traceparent(trace));
        let correlation_id = request_id.unwrap_or(unique).to_owned();
        Self {
            causation_id: correlation_id.clone(),
            correlation_id,
            traceparent: trace.map_or_else(|| traceparent(unique), str::to_owned),
        }
    }

    /// The thread of a reaction: the event is the cause of what follows.
    #[must_use]
    pub fn from_event(event: &CloudEvent) -> Self {
        Self {
            correlation_id: event.correlationid.clone(),
            causation_id: event.id.clone(),
            traceparent: event.traceparent.clone(),
        }
    }

    /// The headers that hand the thread on to another context.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, &str); 2] {
        [
            (REQUEST_ID, &self.correlation_id),
            (TRACEPARENT, &self.traceparent),
        ]
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Up to 128 visible characters: it goes into logs and events as it is.
fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Version 00 of <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let some = |part: &str| part.bytes().any(|byte| byte != b'0');
    matches!(parts[..], [version, trace, parent, flags]
        if version == "00" && hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2))
}

fn traceparent(unique: &str) -> String {
    let parent = unique.get(16..32).unwrap_or("0000000000000001");
    format!("00-{unique:0>32}-{parent}-01")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIQUE: &str = "0123456789abcdef0123456789abcdef";

    fn origin(name: &'static str, value: &str) -> Origin {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Origin::from_headers(&headers, UNIQUE)
    }

    #[test]
    fn a_request_keeps_the_ids_it_came_with() {
        assert_eq!(origin(REQUEST_ID, "abc-1").correlation_id, "abc-1");
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(origin(TRACEPARENT, trace).traceparent, trace);
    }

    #[test]
    fn a_malformed_id_is_replaced_by_a_new_one() {
        assert_eq!(origin(REQUEST_ID, "a b").correlation_id, UNIQUE);
        for bad in [
            "",
            "00-zz-1-1",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        ] {
            let made = origin(TRACEPARENT, bad).traceparent;
            assert!(is_traceparent(&made), "{made}");
            assert!(made.contains(UNIQUE));
        }
    }
}
