//! Are calls between components bounded by the caller's deadline, free of loops, and harmless to the caller?

use std::time::{Duration, Instant};

use crate::saboteur::{Saboteur, call_deadline};

const NEIGHBOUR: &str = "http://neighbour.spin.internal";

#[test]
fn a_failing_neighbour_is_a_response_and_not_a_trap() {
    let saboteur = Saboteur::shared();
    let response = saboteur
        .call(&format!("/chain?url={NEIGHBOUR}/trap"))
        .is(200);
    assert!(response.text().starts_with("status 500"), "{response}");
    assert!(response.text().contains("component-trapped"), "{response}");
}

#[test]
fn a_timeout_that_the_caller_sets_is_honoured() {
    let saboteur = Saboteur::start_with(&call_deadline("30s"), &[]);
    let begun = Instant::now();
    let response = saboteur
        .call(&format!(
            "/chain?url={NEIGHBOUR}/sleep?ms=20000&first_byte_ms=100"
        ))
        .is(200);
    assert!(
        response.text().contains("ConnectionReadTimeout"),
        "{response}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_call_has_no_more_time_than_its_caller() {
    let saboteur = Saboteur::shared();
    let begun = Instant::now();
    saboteur
        .call(&format!("/chain?url={NEIGHBOUR}/sleep?ms=60000"))
        .problem(504, "deadline-exceeded");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_call_loop_between_components_is_stopped() {
    let saboteur = Saboteur::shared();
    let response = saboteur.call("/loop").is(200);
    assert!(response.text().contains("LoopDetected"), "{response}");
}

#[test]
fn a_host_outside_the_manifest_is_not_called() {
    let saboteur = Saboteur::shared();
    for url in [
        "http://stranger.spin.internal/",
        "http://127.0.0.1:1/",
        "https://neighbour.spin.internal/",
    ] {
        let response = saboteur.call(&format!("/chain?url={url}")).is(200);
        assert!(response.text().contains("HttpRequestDenied"), "{response}");
    }
}

#[test]
fn an_external_host_is_called_where_the_manifest_allows_it() {
    let other = Saboteur::shared();
    let saboteur = Saboteur::start(&["--variable", &format!("outside_url={}", other.url())]);
    let response = saboteur
        .call(&format!("/chain?url={}/greet/you", other.url()))
        .is(200);
    assert!(response.text().ends_with("hello you"), "{response}");
    let refused = saboteur.call("/chain?url=http://127.0.0.1:1/").is(200);
    assert!(refused.text().contains("HttpRequestDenied"), "{refused}");
}

#[test]
fn the_request_id_and_trace_are_propagated() {
    let saboteur = Saboteur::shared();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response = saboteur
        .get(&format!("/chain?url={NEIGHBOUR}/echo"))
        .header("traceparent", parent)
        .header("x-request-id", "order-7")
        .send()
        .is(200);
    assert_eq!(response.header("x-request-id"), "order-7");
    assert!(
        response.text().contains(&format!("traceparent: {parent}")),
        "{response}"
    );
    assert!(
        response.text().contains("x-request-id: order-7"),
        "{response}"
    );
}

#[test]
fn a_request_without_a_trace_gets_one() {
    let saboteur = Saboteur::shared();
    let response = saboteur.call("/echo").is(200);
    let id = response.header("x-request-id");
    assert!(
        response.text().contains(&format!("traceparent: 00-{id}-")),
        "{response}"
    );
}

#[test]
fn spin_headers_of_a_client_never_reach_a_component() {
    let saboteur = Saboteur::shared();
    let response = saboteur
        .get(&format!("/relay?url={NEIGHBOUR}/echo"))
        .header("spin-client-addr", "6.6.6.6:6")
        .header("spin-path-match-car", "7")
        .send()
        .is(200);
    assert!(!response.text().contains("6.6.6.6"), "{response}");
    assert!(
        !response.text().contains("spin-path-match-car"),
        "{response}"
    );
    assert_eq!(
        response.text().matches("spin-client-addr:").count(),
        1,
        "{response}"
    );
}
