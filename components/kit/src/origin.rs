//! The origin of a call: correlation id, causation id, trace context and actor, which every context and event
//! on the way of a customer's request carries.

use crate::principal::Principal;
use events::CloudEvent;
use http::{HeaderMap, HeaderValue};
use http_conventions::trace::{REQUEST_ID, TRACEPARENT, Traceparent, is_request_id};

/// The correlation and the cause of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Id of the request at the beginning.
    pub correlation_id: String,
    /// Id of the request or event that directly causes the change.
    pub causation_id: String,
    /// W3C trace context: `00-<32 hex>-<16 hex>-<2 hex>`.
    pub traceparent: String,
    /// The user whose request is at the beginning, on a platform with identity.
    pub actor: Option<String>,
}

impl Origin {
    /// The origin of work that no request causes, such as a sweep; `unique_id` is 32 hexadecimal digits.
    #[must_use]
    pub fn new(unique_id: &str) -> Self {
        Self {
            correlation_id: unique_id.into(),
            causation_id: unique_id.into(),
            traceparent: new_traceparent(unique_id),
            actor: None,
        }
    }

    /// The origin of a request, from its headers.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, unique_id: &str) -> Self {
        let request_id = header(headers, REQUEST_ID);
        let lines = headers.get_all(TRACEPARENT).iter();
        let trace = Traceparent::from_lines(lines.map(HeaderValue::as_bytes));
        let origin = Self::received(
            request_id,
            trace.as_ref().map(Traceparent::as_str),
            unique_id,
        );
        origin.with_actor(Principal::from_headers(headers).subject())
    }

    /// The same origin with the user whose request is at the beginning.
    #[must_use]
    pub fn with_actor(mut self, actor: Option<&str>) -> Self {
        self.actor = actor.map(str::to_owned);
        self
    }

    /// The origin that a caller sent: its well-formed ids, and new ids made of `unique_id` in place of the others.
    #[must_use]
    pub fn received(
        correlation_id: Option<&str>,
        traceparent: Option<&str>,
        unique_id: &str,
    ) -> Self {
        let correlation_id = correlation_id.filter(|id| is_request_id(id));
        let trace = traceparent.and_then(Traceparent::parse);
        let correlation_id = correlation_id.unwrap_or(unique_id).to_owned();
        Self {
            causation_id: correlation_id.clone(),
            correlation_id,
            traceparent: trace.map_or_else(
                || new_traceparent(unique_id),
                |trace| trace.as_str().to_owned(),
            ),
            actor: None,
        }
    }

    /// The origin of a reaction: the event is the cause of the change.
    #[must_use]
    pub fn from_event(event: &CloudEvent) -> Self {
        Self {
            correlation_id: event.correlationid.clone(),
            causation_id: event.id.clone(),
            traceparent: event.traceparent.clone(),
            actor: event.actor.clone(),
        }
    }

    /// The headers that propagate the origin to another context.
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

fn new_traceparent(unique_id: &str) -> String {
    let parent = unique_id.get(16..32).unwrap_or("0000000000000001");
    format!("00-{unique_id:0>32}-{parent}-01")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIQUE_ID: &str = "0123456789abcdef0123456789abcdef";

    fn origin(name: &'static str, value: &str) -> Origin {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Origin::from_headers(&headers, UNIQUE_ID)
    }

    #[test]
    fn a_request_keeps_its_well_formed_ids() {
        assert_eq!(origin(REQUEST_ID, "abc-1").correlation_id, "abc-1");
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(origin(TRACEPARENT, trace).traceparent, trace);
    }

    #[test]
    fn a_malformed_id_is_replaced_by_a_new_one() {
        assert_eq!(origin(REQUEST_ID, "a b").correlation_id, UNIQUE_ID);
        for malformed in [
            "",
            "00-zz-1-1",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        ] {
            let replaced = origin(TRACEPARENT, malformed).traceparent;
            assert!(Traceparent::parse(&replaced).is_some(), "{replaced}");
            assert!(replaced.contains(UNIQUE_ID));
        }
    }
}
