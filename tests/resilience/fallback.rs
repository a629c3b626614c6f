//! What is answered when a component does not: an old answer or somebody else's, always marked as such, and only to who
//! merely looks.

use harness::{Response, eventually};
use http::Method;
use serde_json::json;

use crate::saboteur::{Saboteur, patient};

const KNOWN: &str = "/greet/known";

fn with_fallback(fallback: &str) -> Saboteur {
    Saboteur::start_with(&format!("fallback = {fallback}"), &["--chaos"])
}

fn falls_ill(saboteur: &Saboteur, component: &str) {
    let trap = json!({"from": "outside", "to": component, "fault": "trap", "seconds": 600});
    let asked = saboteur.admin_request(Method::POST, "/chaos").json(&trap);
    asked.send().is(200);
}

fn recovers(saboteur: &Saboteur) {
    saboteur
        .admin_request(Method::DELETE, "/chaos")
        .send()
        .is(200);
}

fn is_unmarked(answer: &Response) {
    assert_eq!(answer.optional_header("warning"), None, "{answer}");
    assert_eq!(answer.optional_header("age"), None, "{answer}");
}

#[test]
fn a_stale_response_is_marked_as_stale() {
    let saboteur = with_fallback("{ stale = \"1h\" }");
    let fresh = saboteur.order(KNOWN).is(200);
    is_unmarked(&fresh);

    falls_ill(&saboteur, "saboteur");
    let stale = saboteur.order(KNOWN).is(200);
    assert_eq!(stale.text(), fresh.text());
    assert!(stale.header("warning").starts_with("110 "), "{stale}");
    let age: u64 = stale.header("age").parse().expect("seconds");
    assert!(age < 600, "{stale}");

    recovers(&saboteur);
    is_unmarked(&saboteur.order(KNOWN).is(200));
}

#[test]
fn a_request_without_a_cached_response_gets_the_problem() {
    let saboteur = with_fallback("{ stale = \"1h\" }");
    saboteur.order(KNOWN).is(200);
    falls_ill(&saboteur, "saboteur");
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = saboteur.request(method, KNOWN).send();
        answer.problem(500, "component-trapped");
    }
    let unknown = saboteur.order("/greet/unknown");
    unknown.problem(500, "component-trapped");
    let personal = saboteur
        .get(KNOWN)
        .header("authorization", "Basic b3Blbg==");
    personal.send().problem(500, "component-trapped");
}

#[test]
fn an_expired_response_is_not_served() {
    let saboteur = with_fallback("{ stale = \"1s\" }");
    saboteur.order(KNOWN).is(200);
    falls_ill(&saboteur, "saboteur");
    eventually(|| saboteur.order(KNOWN), |answer| answer.status == 500);
}

#[test]
fn a_fallback_component_responds_and_is_named() {
    let saboteur = with_fallback("{ component = \"neighbour\" }");
    is_unmarked(&saboteur.order(KNOWN).is(200));

    falls_ill(&saboteur, "saboteur");
    let substitute = saboteur.order(KNOWN).is(200);
    assert_eq!(substitute.text(), "hello known");
    let warning = substitute.header("warning");
    assert!(
        warning.starts_with("199 ") && warning.contains("neighbour"),
        "{substitute}"
    );
    let command = saboteur.request(Method::POST, KNOWN).send();
    command.problem(500, "component-trapped");

    falls_ill(&saboteur, "neighbour");
    saboteur.order(KNOWN).problem(500, "component-trapped");
}

#[test]
fn a_fallback_component_responds_for_one_that_hangs() {
    let fallback = format!("{{ component = \"neighbour\" }}\n{}", patient("8s"));
    let saboteur = with_fallback(&fallback);
    let hangs = json!({
        "from": "outside", "to": "saboteur", "fault": "latency", "latency_ms": 60_000, "seconds": 600
    });
    let asked = saboteur.admin_request(Method::POST, "/chaos").json(&hangs);
    asked.send().is(200);
    let substitute = saboteur.order(KNOWN).is(200);
    assert!(
        substitute.header("warning").starts_with("199 "),
        "{substitute}"
    );
}
