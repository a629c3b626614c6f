//! GatewayFault on request: real, on one link, for a while, and only where it was asked for at the start.

use std::thread;
use std::time::{Duration, Instant};

use harness::{Response, eventually};
use http::Method;
use serde_json::{Value, json};

use crate::saboteur::Saboteur;

const CHAIN: &str = "/chain?url=http://neighbour.spin.internal/greet/you";

fn started() -> Saboteur {
    Saboteur::start(&["--chaos"])
}

fn begin(saboteur: &Saboteur, experiment: &Value) -> Response {
    saboteur
        .admin_request(Method::POST, "/chaos")
        .json(experiment)
        .send()
}

fn end_all(saboteur: &Saboteur) {
    saboteur
        .admin_request(Method::DELETE, "/chaos")
        .send()
        .is(200);
}

fn on_link(fault: &str) -> Value {
    json!({"from": "saboteur", "to": "neighbour", "fault": fault, "seconds": 60})
}

#[test]
fn fault_injection_without_the_flag_is_refused() {
    let saboteur = Saboteur::shared();
    let refused = begin(saboteur, &on_link("trap"));
    let problem = refused.problem(403, "forbidden");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("--chaos")),
        "{refused}"
    );
    saboteur.admin_request(Method::GET, "/chaos").send().is(403);
    saboteur.order(CHAIN).is(200);
}

#[test]
fn each_fault_affects_its_link_only() {
    let saboteur = started();
    for (fault, expected) in [
        ("error", "status 503"),
        ("trap", "component-trapped"),
        ("hoard", "component-trapped"),
    ] {
        begin(&saboteur, &on_link(fault)).is(200);
        let answer = saboteur.order(CHAIN).is(200);
        assert!(answer.text().contains(expected), "{fault}: {answer}");
        saboteur.order("/greet/me").is(200);
        end_all(&saboteur);
    }
    // A guest that computes is ended at its deadline, which is that of its caller, too.
    begin(&saboteur, &on_link("spin")).is(200);
    saboteur.order(CHAIN).problem(504, "deadline-exceeded");
    saboteur.order("/greet/me").is(200);
    end_all(&saboteur);
    assert!(saboteur.order(CHAIN).is(200).text().ends_with("hello you"));
}

#[test]
fn injected_errors_open_the_breaker_of_their_link() {
    let policy = r#"[component.saboteur.tool.socar.links.neighbour]
breaker = { consecutive_failures = 3, open = "1h" }"#;
    let saboteur = Saboteur::start_with(policy, &["--chaos"]);
    begin(&saboteur, &on_link("error")).is(200);
    for _ in 0..3 {
        let answer = saboteur.order(CHAIN).is(200);
        assert!(answer.text().contains("problems/experiment"), "{answer}");
    }
    end_all(&saboteur);
    let answer = saboteur.order(CHAIN).is(200);
    assert!(answer.text().contains("problems/cut-off"), "{answer}");
}

#[test]
fn an_injected_busy_loop_does_not_run_on_the_connection_threads() {
    let saboteur = started();
    let experiment = json!({"from": "outside", "to": "saboteur", "fault": "spin", "seconds": 60});
    begin(&saboteur, &experiment).is(200);
    let before = saboteur.cpu_ticks();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                saboteur
                    .order("/greet/me")
                    .problem(504, "deadline-exceeded")
            });
        }
    });
    let after = saboteur.cpu_ticks();
    let by = |thread: &str| after[thread] - before.get(thread).copied().unwrap_or_default();
    let front = by("front");
    let all: u64 = after.keys().map(|thread| by(thread)).sum();
    assert!(front * 2 < all, "{front} of {all} ticks at the front");
}

#[test]
fn an_injected_latency_has_the_requested_length() {
    let saboteur = started();
    let mut experiment = on_link("latency");
    experiment["latency_ms"] = json!(700);
    begin(&saboteur, &experiment).is(200);
    let begun = Instant::now();
    assert!(saboteur.order(CHAIN).is(200).text().ends_with("hello you"));
    assert!(begun.elapsed() >= Duration::from_millis(700));
}

#[test]
fn an_external_host_is_made_slow_or_unavailable() {
    let elsewhere = Saboteur::shared().url().trim_end_matches('/');
    let variable = format!("outside_url={elsewhere}");
    let saboteur = Saboteur::start(&["--chaos", "--variable", &variable]);
    let order = format!("/chain?url={elsewhere}/greet/you");
    let outbound = |to: &str| json!({"from": "saboteur", "to": to, "seconds": 60});

    let mut slow = outbound(elsewhere);
    (slow["fault"], slow["latency_ms"]) = (json!("latency"), json!(700));
    begin(&saboteur, &slow).is(200);
    let begun = Instant::now();
    let answer = saboteur.order(&order).is(200);
    assert!(answer.text().ends_with("hello you"), "{answer}");
    assert!(begun.elapsed() >= Duration::from_millis(700));
    end_all(&saboteur);

    let mut away = outbound("outbound");
    away["fault"] = json!("error");
    begin(&saboteur, &away).is(200);
    let answer = saboteur.order(&order).is(200);
    assert!(answer.text().contains("status 503"), "{answer}");
    // Inside the platform nothing is different.
    assert!(saboteur.order(CHAIN).is(200).text().ends_with("hello you"));
    end_all(&saboteur);
    assert!(saboteur.order(&order).is(200).text().ends_with("hello you"));

    let mut nonsense = outbound("outbound");
    nonsense["fault"] = json!("trap");
    begin(&saboteur, &nonsense).problem(422, "invalid");
}

#[test]
fn an_injected_fault_is_listed_and_expires() {
    let saboteur = started();
    let mut experiment = on_link("error");
    experiment["seconds"] = json!(2);
    let begun = begin(&saboteur, &experiment).is(200).json();
    let list = saboteur.admin("/chaos");
    assert_eq!(list["experiments"], json!([begun]));
    eventually(
        || saboteur.admin("/chaos"),
        |list| list["experiments"] == json!([]),
    );
    assert!(saboteur.order(CHAIN).is(200).text().ends_with("hello you"));
    begin(
        &saboteur,
        &json!({"to": "neighbour", "fault": "trap", "seconds": 0}),
    )
    .problem(422, "invalid");
    saboteur
        .admin_request(Method::DELETE, "/chaos/99")
        .send()
        .is(404);
}

#[test]
fn a_dropped_event_is_redelivered() {
    let saboteur = started();
    let received = || {
        saboteur
            .order("/wasi/increment?key=received&delta=0")
            .text()
    };
    begin(
        &saboteur,
        &json!({"to": "saboteur", "from": "events", "fault": "drop", "seconds": 60}),
    )
    .is(200);
    let order =
        "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=hello";
    saboteur.order(order).is(200);
    saboteur
        .order("/redis?publish=socar.saboteur&payload=wake")
        .is(200);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(received(), "0");
    end_all(&saboteur);
    eventually(received, |count| count == "1");
}
