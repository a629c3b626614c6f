//! What an operator sees: every number has a name, a type and an explanation, and moves when something happens.

use std::thread;

use harness::eventually;
use http::Method;
use serde_json::json;

use crate::saboteur::Saboteur;

/// The names an operator may rely on, with their types.
const NAMES: [(&str, &str); 18] = [
    ("socar_calls_total", "counter"),
    ("socar_call_seconds", "histogram"),
    ("socar_calls_running", "gauge"),
    ("socar_calls_waiting", "gauge"),
    ("socar_calls_shed_total", "counter"),
    ("socar_concurrency_limit", "gauge"),
    ("socar_instances", "gauge"),
    ("socar_instances_busy", "gauge"),
    ("socar_instances_max", "gauge"),
    ("socar_retries_total", "counter"),
    ("socar_fallbacks_total", "counter"),
    ("socar_breaker_state", "gauge"),
    ("socar_breaker_transitions_total", "counter"),
    ("socar_breaker_refused_total", "counter"),
    ("socar_event_lag", "gauge"),
    ("socar_event_pending", "gauge"),
    ("socar_dead_letters", "gauge"),
    ("socar_event_log_up", "gauge"),
];

/// One call at a time, nobody waits, what fails is tried again, and one link has a breaker.
const POLICY: &str = r"concurrency = 1
queue = 0
instances_min = 2
retry = { attempts = 1 }

[application.tool.socar.links.saboteur]
breaker = true";

fn metrics(saboteur: &Saboteur) -> String {
    saboteur
        .steer(Method::GET, "/metrics")
        .send()
        .is(200)
        .text()
}

/// The number behind this name and its labels.
fn number(saboteur: &Saboteur, series: &str) -> f64 {
    let text = metrics(saboteur);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let number = line.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

#[test]
fn every_number_is_there_with_its_type_and_what_it_says() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    saboteur.order("/greet/me").is(200);
    saboteur
        .steer(Method::POST, "/breakers/force-open")
        .json(&json!({"link": "gateway -> saboteur"}))
        .send()
        .is(200);
    let text = eventually(
        || metrics(&saboteur),
        |text| text.contains("\nsocar_event_lag{"),
    );
    for (name, kind) in NAMES {
        let lines = || text.lines();
        assert!(
            lines().any(|line| line == format!("# TYPE {name} {kind}")),
            "{name} is no {kind} in\n{text}"
        );
        let help = format!("# HELP {name} ");
        assert!(
            lines().any(|line| line.len() > help.len() && line.starts_with(&help)),
            "{name} is not explained in\n{text}"
        );
        assert!(
            lines().any(|line| line.starts_with(name)),
            "{name} has no sample in\n{text}"
        );
    }
}

#[test]
fn the_numbers_move_with_what_happens() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    let number = |series: &str| number(&saboteur, series);
    assert_eq!(number(r#"socar_instances{component="saboteur"}"#), 2.0);

    saboteur.order("/greet/me").is(200);
    let answered = r#"socar_calls_total{link="gateway -> saboteur",outcome="2xx"}"#;
    assert_eq!(number(answered), 1.0);
    let timed = r#"socar_call_seconds_count{link="gateway -> saboteur"}"#;
    assert_eq!(number(timed), 1.0);

    saboteur.order("/trap").is(500);
    let retried = r#"socar_retries_total{link="gateway -> saboteur"}"#;
    assert_eq!(number(retried), 1.0);

    let shed = r#"socar_calls_shed_total{component="saboteur",priority="browsing"}"#;
    assert_eq!(number(shed), 0.0);
    thread::scope(|scope| {
        let slow = scope.spawn(|| saboteur.order("/sleep?ms=1000"));
        let running = r#"socar_calls_running{component="saboteur"}"#;
        eventually(|| number(running), |running| *running == 1.0);
        saboteur.order("/greet/me").problem(503, "overloaded");
        slow.join().expect("an answer").is(200);
    });
    assert_eq!(number(shed), 1.0);

    saboteur
        .steer(Method::POST, "/breakers/force-open")
        .json(&json!({"link": "gateway -> saboteur"}))
        .send()
        .is(200);
    saboteur.order("/greet/me").is(503);
    let of_breaker = |name: &str, label: &str| {
        number(&format!(
            r#"socar_breaker_{name}{{link="gateway -> saboteur"{label}}}"#
        ))
    };
    assert_eq!(of_breaker("state", r#",state="forced-open""#), 1.0);
    assert_eq!(of_breaker("state", r#",state="closed""#), 0.0);
    assert_eq!(of_breaker("transitions_total", r#",to="forced-open""#), 1.0);
    assert_eq!(of_breaker("refused_total", ""), 1.0);
}
