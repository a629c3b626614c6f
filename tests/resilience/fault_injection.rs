//! Is an injected fault real, limited to one link and to a time, and possible only with `--chaos`?

use std::thread;
use std::time::{Duration, Instant};

use harness::{Response, eventually};
use http::Method;
use serde_json::{Value, json};

use crate::saboteur::Saboteur;

const CHAIN: &str = "/chain?url=http://neighbour.spin.internal/greet/you";

fn start_with_fault_injection() -> Saboteur {
    Saboteur::start(&["--chaos"])
}

fn try_inject(saboteur: &Saboteur, fault: &Value) -> Response {
    let request = saboteur.admin().request(Method::POST, "/chaos");
    request.json(fault).send()
}

fn neighbour_fault(fault: &str) -> Value {
    json!({"from": "saboteur", "to": "neighbour", "fault": fault, "seconds": 60})
}

#[test]
fn fault_injection_without_the_flag_is_refused() {
    let saboteur = Saboteur::shared();
    let refused = try_inject(saboteur, &neighbour_fault("trap"));
    let problem = refused.problem(403, "forbidden");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("--chaos")),
        "{refused}"
    );
    saboteur
        .admin()
        .request(Method::GET, "/chaos")
        .send()
        .is(403);
    saboteur.call(CHAIN).is(200);
}

#[test]
fn each_fault_affects_its_link_only() {
    let saboteur = start_with_fault_injection();
    for (fault, expected) in [
        ("error", "status 503"),
        ("trap", "component-trapped"),
        ("hoard", "component-trapped"),
    ] {
        saboteur.admin().inject_fault(&neighbour_fault(fault));
        let response = saboteur.call(CHAIN).is(200);
        assert!(response.text().contains(expected), "{fault}: {response}");
        saboteur.call("/greet/me").is(200);
        saboteur.admin().clear_faults();
    }
    // A guest that computes is ended at its deadline, which is also the deadline of its caller.
    saboteur.admin().inject_fault(&neighbour_fault("spin"));
    saboteur.call(CHAIN).problem(504, "deadline-exceeded");
    saboteur.call("/greet/me").is(200);
    saboteur.admin().clear_faults();
    assert!(saboteur.call(CHAIN).is(200).text().ends_with("hello you"));
}

#[test]
fn injected_errors_open_the_breaker_of_their_link() {
    let policy = r#"[component.saboteur.tool.socar.links.neighbour]
breaker = { consecutive_failures = 3, open_duration = "1h" }"#;
    let saboteur = Saboteur::start_with(policy, &["--chaos"]);
    saboteur.admin().inject_fault(&neighbour_fault("error"));
    for _ in 0..3 {
        let response = saboteur.call(CHAIN).is(200);
        assert!(
            response.text().contains("problems/experiment"),
            "{response}"
        );
    }
    saboteur.admin().clear_faults();
    let response = saboteur.call(CHAIN).is(200);
    assert!(response.text().contains("problems/cut-off"), "{response}");
}

#[test]
fn an_injected_busy_loop_does_not_run_on_the_connection_threads() {
    let saboteur = start_with_fault_injection();
    let fault = json!({"from": "outside", "to": "saboteur", "fault": "spin", "seconds": 60});
    saboteur.admin().inject_fault(&fault);
    let before = saboteur.cpu_ticks();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| saboteur.call("/greet/me").problem(504, "deadline-exceeded"));
        }
    });
    let after = saboteur.cpu_ticks();
    let by = |thread: &str| after[thread] - before.get(thread).copied().unwrap_or_default();
    let connections = by("io");
    let all: u64 = after.keys().map(|thread| by(thread)).sum();
    assert!(
        connections * 2 < all,
        "{connections} of {all} ticks on the connection threads"
    );
}

#[test]
fn an_injected_latency_has_the_requested_length() {
    let saboteur = start_with_fault_injection();
    let mut fault = neighbour_fault("latency");
    fault["latency_ms"] = json!(700);
    saboteur.admin().inject_fault(&fault);
    let started = Instant::now();
    assert!(saboteur.call(CHAIN).is(200).text().ends_with("hello you"));
    assert!(started.elapsed() >= Duration::from_millis(700));
}

#[test]
fn an_external_host_is_made_slow_or_unavailable() {
    let external = Saboteur::shared().url().trim_end_matches('/');
    let variable = format!("outside_url={external}");
    let saboteur = Saboteur::start(&["--chaos", "--variable", &variable]);
    let path = format!("/chain?url={external}/greet/you");
    let outbound = |to: &str| json!({"from": "saboteur", "to": to, "seconds": 60});

    let mut slow = outbound(external);
    (slow["fault"], slow["latency_ms"]) = (json!("latency"), json!(700));
    saboteur.admin().inject_fault(&slow);
    let started = Instant::now();
    let response = saboteur.call(&path).is(200);
    assert!(response.text().ends_with("hello you"), "{response}");
    assert!(started.elapsed() >= Duration::from_millis(700));
    saboteur.admin().clear_faults();

    let mut away = outbound("outbound");
    away["fault"] = json!("error");
    saboteur.admin().inject_fault(&away);
    let response = saboteur.call(&path).is(200);
    assert!(response.text().contains("status 503"), "{response}");
    // Calls inside of the platform are not affected.
    assert!(saboteur.call(CHAIN).is(200).text().ends_with("hello you"));
    saboteur.admin().clear_faults();
    assert!(saboteur.call(&path).is(200).text().ends_with("hello you"));

    let mut invalid = outbound("outbound");
    invalid["fault"] = json!("trap");
    try_inject(&saboteur, &invalid).problem(422, "invalid");
}

#[test]
fn an_injected_fault_is_listed_and_expires() {
    let saboteur = start_with_fault_injection();
    let mut fault = neighbour_fault("error");
    fault["seconds"] = json!(2);
    let mut started = saboteur.admin().inject_fault(&fault);
    let mut list = saboteur.admin().json("/chaos");
    let remaining = [&mut started, &mut list["experiments"][0]].map(|fault| {
        let members = fault.as_object_mut().expect("a fault");
        let remaining = members.remove("remaining_ms");
        remaining
            .and_then(|it| it.as_u64())
            .expect("the rest of its time")
    });
    assert!(
        remaining[0] <= 2000 && remaining[1] <= remaining[0],
        "{remaining:?}"
    );
    assert_eq!(list["experiments"], json!([started]));
    eventually(
        || saboteur.admin().json("/chaos"),
        |list| list["experiments"] == json!([]),
    );
    assert!(saboteur.call(CHAIN).is(200).text().ends_with("hello you"));
    try_inject(
        &saboteur,
        &json!({"to": "neighbour", "fault": "trap", "seconds": 0}),
    )
    .problem(422, "invalid");
    saboteur
        .admin()
        .request(Method::DELETE, "/chaos/99")
        .send()
        .is(404);
}

#[test]
fn a_dropped_event_is_redelivered() {
    let saboteur = start_with_fault_injection();
    let received = || saboteur.call("/wasi/increment?key=received&delta=0").text();
    saboteur
        .admin()
        .inject_fault(&json!({"to": "saboteur", "from": "events", "fault": "drop", "seconds": 60}));
    let append =
        "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=hello";
    saboteur.call(append).is(200);
    saboteur
        .call("/redis?publish=socar.saboteur&payload=wake")
        .is(200);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(received(), "0");
    saboteur.admin().clear_faults();
    eventually(received, |count| count == "1");
}
