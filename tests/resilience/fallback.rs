//! What does a caller get when a component fails: a stale response, or one of another component? Fallback responses
//! are marked, and only safe requests get one.

use std::time::{Duration, Instant};

use harness::{Response, eventually};
use http::Method;
use serde_json::json;

use crate::listener::http2::{HEADERS, UnreadHttp2Connection};
use crate::saboteur::{Saboteur, call_deadline};

const CACHED_PATH: &str = "/greet/known";

fn with_fallback(fallback: &str) -> Saboteur {
    Saboteur::start_with(&format!("fallback = {fallback}"), &["--chaos"])
}

fn inject_trap(saboteur: &Saboteur, component: &str) {
    let trap = json!({"from": "outside", "to": component, "fault": "trap", "seconds": 600});
    saboteur.admin().inject_fault(&trap);
}

fn assert_unmarked(response: &Response) {
    assert_eq!(response.optional_header("warning"), None, "{response}");
    assert_eq!(response.optional_header("age"), None, "{response}");
}

#[test]
fn a_stale_response_is_marked_as_stale() {
    let saboteur = with_fallback("{ stale = \"1h\" }");
    let fresh = saboteur.call(CACHED_PATH).is(200);
    assert_unmarked(&fresh);

    inject_trap(&saboteur, "saboteur");
    let stale = saboteur.call(CACHED_PATH).is(200);
    assert_eq!(stale.text(), fresh.text());
    assert!(stale.header("warning").starts_with("110 "), "{stale}");
    let age: u64 = stale.header("age").parse().expect("seconds");
    assert!(age < 600, "{stale}");

    saboteur.admin().clear_faults();
    assert_unmarked(&saboteur.call(CACHED_PATH).is(200));
}

#[test]
fn a_request_without_a_cached_response_gets_the_problem() {
    let saboteur = with_fallback("{ stale = \"1h\" }");
    saboteur.call(CACHED_PATH).is(200);
    inject_trap(&saboteur, "saboteur");
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let response = saboteur.request(method, CACHED_PATH).send();
        response.problem(500, "component-trapped");
    }
    let unknown = saboteur.call("/greet/unknown");
    unknown.problem(500, "component-trapped");
    let personal = saboteur
        .get(CACHED_PATH)
        .header("authorization", "Basic b3Blbg==");
    personal.send().problem(500, "component-trapped");
}

#[test]
fn an_expired_response_is_not_served() {
    let saboteur = with_fallback("{ stale = \"1s\" }");
    saboteur.call(CACHED_PATH).is(200);
    inject_trap(&saboteur, "saboteur");
    eventually(
        || saboteur.call(CACHED_PATH),
        |response| response.status == 500,
    );
}

#[test]
fn a_fallback_component_responds_and_is_named() {
    let saboteur = with_fallback("{ component = \"neighbour\" }");
    assert_unmarked(&saboteur.call(CACHED_PATH).is(200));

    inject_trap(&saboteur, "saboteur");
    let substitute = saboteur.call(CACHED_PATH).is(200);
    assert_eq!(substitute.text(), "hello known");
    let warning = substitute.header("warning");
    assert!(
        warning.starts_with("199 ") && warning.contains("neighbour"),
        "{substitute}"
    );
    let command = saboteur.request(Method::POST, CACHED_PATH).send();
    command.problem(500, "component-trapped");

    inject_trap(&saboteur, "neighbour");
    saboteur.call(CACHED_PATH).problem(500, "component-trapped");
}

#[test]
fn a_fallback_component_responds_for_one_that_hangs() {
    let fallback = format!("{{ component = \"neighbour\" }}\n{}", call_deadline("8s"));
    let saboteur = with_fallback(&fallback);
    let hangs = json!({
        "from": "outside", "to": "saboteur", "fault": "latency", "latency_ms": 60_000, "seconds": 600
    });
    saboteur.admin().inject_fault(&hangs);
    let substitute = saboteur.call(CACHED_PATH).is(200);
    assert!(
        substitute.header("warning").starts_with("199 "),
        "{substitute}"
    );
}

/// The permit of a component is held until the last byte of its response, also if a link asked for it as a fallback.
#[test]
fn a_response_of_a_fallback_component_holds_its_permit() {
    let neighbour =
        "[component.neighbour.tool.socar]\nconcurrency = 1\nqueue = 0\nadaptive = false";
    let saboteur = with_fallback(&format!("{{ component = \"neighbour\" }}\n{neighbour}"));
    inject_trap(&saboteur, "saboteur");
    saboteur.call(CACHED_PATH).is(200);
    let mut client = UnreadHttp2Connection::open(&saboteur);
    client.get(1, "/flood?kib=64");
    client.read_until(HEADERS, 1);
    saboteur.call(CACHED_PATH).problem(500, "component-trapped");
    eventually(
        || saboteur.call(CACHED_PATH).status,
        |status| *status == 200,
    );
}

#[test]
fn a_fallback_component_that_waits_for_the_call_does_not_wait_for_itself() {
    let saboteur = Saboteur::start_with(
        "[component.saboteur.tool.socar]\nconcurrency = 1\nqueue = 1\nadaptive = false\n\
         [component.saboteur.tool.socar.links.neighbour]\nfallback = { component = \"saboteur\" }",
        &["--chaos"],
    );
    let trap = json!({"from": "saboteur", "to": "neighbour", "fault": "trap", "seconds": 600});
    saboteur.admin().inject_fault(&trap);
    let began = Instant::now();
    let response = saboteur.call("/chain?url=http://neighbour.spin.internal/greet/me");
    // The only instance waits for this answer, so that there is none for the fallback: the failure itself arrives at once.
    let text = response.is(200).text();
    assert!(text.starts_with("status 500"), "{text}");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}
