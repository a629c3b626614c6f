//! Calls from one component to another: within the caller's time, with an end, and never at the caller's cost.

use std::time::{Duration, Instant};

use crate::saboteur::{Saboteur, call_deadline};

const NEIGHBOUR: &str = "http://neighbour.spin.internal";

#[test]
fn a_failing_neighbour_is_a_response_and_not_a_trap() {
    let saboteur = Saboteur::shared();
    let answer = saboteur
        .call(&format!("/chain?url={NEIGHBOUR}/trap"))
        .is(200);
    assert!(answer.text().starts_with("status 500"), "{answer}");
    assert!(answer.text().contains("component-trapped"), "{answer}");
}

#[test]
fn a_timeout_that_the_caller_sets_is_honoured() {
    let saboteur = Saboteur::start_with(&call_deadline("30s"), &[]);
    let begun = Instant::now();
    let answer = saboteur
        .call(&format!(
            "/chain?url={NEIGHBOUR}/sleep?ms=20000&first_byte_ms=100"
        ))
        .is(200);
    assert!(answer.text().contains("ConnectionReadTimeout"), "{answer}");
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
    let answer = saboteur.call("/circle").is(200);
    assert!(answer.text().contains("LoopDetected"), "{answer}");
}

#[test]
fn a_host_outside_the_manifest_is_not_called() {
    let saboteur = Saboteur::shared();
    for url in [
        "http://stranger.spin.internal/",
        "http://127.0.0.1:1/",
        "https://neighbour.spin.internal/",
    ] {
        let answer = saboteur.call(&format!("/chain?url={url}")).is(200);
        assert!(answer.text().contains("HttpRequestDenied"), "{answer}");
    }
}

#[test]
fn an_external_host_is_called_where_the_manifest_allows_it() {
    let other = Saboteur::shared();
    let saboteur = Saboteur::start(&["--variable", &format!("outside_url={}", other.url())]);
    let answer = saboteur
        .call(&format!("/chain?url={}/greet/you", other.url()))
        .is(200);
    assert!(answer.text().ends_with("hello you"), "{answer}");
    let refused = saboteur.call("/chain?url=http://127.0.0.1:1/").is(200);
    assert!(refused.text().contains("HttpRequestDenied"), "{refused}");
}

#[test]
fn the_request_id_and_trace_are_propagated() {
    let saboteur = Saboteur::shared();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = saboteur
        .get(&format!("/chain?url={NEIGHBOUR}/echo"))
        .header("traceparent", parent)
        .header("x-request-id", "order-7")
        .send()
        .is(200);
    assert_eq!(answer.header("x-request-id"), "order-7");
    assert!(
        answer.text().contains(&format!("traceparent: {parent}")),
        "{answer}"
    );
    assert!(answer.text().contains("x-request-id: order-7"), "{answer}");
}

#[test]
fn a_request_without_a_trace_gets_one() {
    let saboteur = Saboteur::shared();
    let answer = saboteur.call("/echo").is(200);
    let id = answer.header("x-request-id");
    assert!(
        answer.text().contains(&format!("traceparent: 00-{id}-")),
        "{answer}"
    );
}

#[test]
fn spin_headers_of_a_client_never_reach_a_component() {
    let saboteur = Saboteur::shared();
    let answer = saboteur
        .get(&format!("/relay?url={NEIGHBOUR}/echo"))
        .header("spin-client-addr", "6.6.6.6:6")
        .header("spin-path-match-car", "7")
        .send()
        .is(200);
    assert!(!answer.text().contains("6.6.6.6"), "{answer}");
    assert!(!answer.text().contains("spin-path-match-car"), "{answer}");
    assert_eq!(
        answer.text().matches("spin-client-addr:").count(),
        1,
        "{answer}"
    );
}
