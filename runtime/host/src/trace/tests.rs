//! Which headers of a caller are kept, and what takes the place of the others.

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
    let passed: Vec<_> = restarted.headers().map(|(name, _)| name).collect();
    assert_eq!(passed, ["traceparent", "x-request-id", "baggage"]);
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

#[test]
fn a_log_line_names_the_ids_that_others_know() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let known = Trace::of(&headers(&[("traceparent", parent)]));
    assert_eq!(known.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(known.span_id(), Some("00f067aa0ba902b7"));
    let generated = Trace::fresh();
    assert_eq!((generated.trace_id(), generated.span_id()), (None, None));
    let recorded = generated.with_span(HeaderValue::from_static(parent));
    assert_eq!(recorded.span_id(), Some("00f067aa0ba902b7"));
}

#[test]
fn a_guest_that_sends_on_what_it_got_continues_its_span() {
    let event = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let own = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";
    let trace = Trace::of(&headers(&[("traceparent", event)]));
    let trace = trace.of_event().with_span(HeaderValue::from_static(own));
    for given in [None, Some(event), Some(own), Some("nonsense")] {
        let given = given.map(HeaderValue::from_static);
        let (continued, is_other) = trace.continued_with(given.as_ref());
        assert_eq!((continued, is_other), (trace.clone(), false), "{given:?}");
    }
    let other = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-2222222222222222-01";
    let given = HeaderValue::from_static(other);
    let (continued, is_other) = trace.continued_with(Some(&given));
    assert!(is_other && continued.parent == other);
    assert!(continued.is_of(other) && !continued.is_of(own));
}
