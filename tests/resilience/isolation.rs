//! Does a misbehaving guest harm only its own call, and neither the next caller nor its neighbour nor the host?

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use harness::{eventually, root};

use crate::saboteur::{Saboteur, call_deadline};

/// The deadline in `tests/saboteur/spin.toml`.
const DEADLINE: Duration = Duration::from_secs(2);

/// A tolerance for a busy machine.
const MAX_DELAY: Duration = Duration::from_secs(3);

fn assert_neighbour_responds(saboteur: &Saboteur) {
    let response = saboteur
        .call("/chain?url=http://neighbour.spin.internal/greet/you")
        .is(200);
    assert!(response.text().ends_with("hello you"), "{response}");
}

#[test]
fn a_trap_fails_its_own_call_only() {
    let saboteur = Saboteur::shared();
    thread::scope(|scope| {
        let others: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| saboteur.call("/sleep?ms=300")))
            .collect();
        for _ in 0..20 {
            saboteur.call("/trap").problem(500, "component-trapped");
        }
        for other in others {
            other.join().expect("a response").is(200);
        }
    });
    assert_neighbour_responds(saboteur);
}

#[test]
fn a_guest_that_exits_fails_alone() {
    let saboteur = Saboteur::shared();
    saboteur.call("/exit").problem(500, "component-trapped");
    saboteur.call("/greet/me").is(200);
}

#[test]
fn a_guest_that_waits_forever_is_ended_at_its_deadline() {
    let saboteur = Saboteur::shared();
    let started = Instant::now();
    saboteur
        .call("/sleep?ms=60000")
        .problem(504, "deadline-exceeded");
    let elapsed = started.elapsed();
    assert!(
        elapsed >= DEADLINE && elapsed < DEADLINE + MAX_DELAY,
        "{elapsed:?}"
    );
}

#[test]
fn a_guest_that_computes_forever_is_ended_at_its_deadline() {
    let saboteur = Saboteur::shared();
    let started = Instant::now();
    saboteur.call("/spin").problem(504, "deadline-exceeded");
    let elapsed = started.elapsed();
    assert!(
        elapsed >= DEADLINE && elapsed < DEADLINE + MAX_DELAY,
        "{elapsed:?}"
    );
    assert_neighbour_responds(saboteur);
}

#[test]
fn guests_that_compute_forever_do_not_stop_the_others() {
    let saboteur = Saboteur::shared();
    thread::scope(|scope| {
        let busy: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| saboteur.call("/spin")))
            .collect();
        for _ in 0..5 {
            saboteur.call("/greet/me").is(200);
        }
        for busy in busy {
            busy.join().expect("a response").is(504);
        }
    });
}

#[test]
fn guests_that_poll_the_clock_forever_do_not_stop_guests_that_sleep() {
    // The polling guests have the longer deadline, so the sleeping guests cannot just outlast them.
    let policy = r#"
adaptive = false

[component.saboteur.tool.socar]
deadline = "15s"

[component.neighbour.tool.socar]
deadline = "8s"

[[trigger.http]]
route = "/steps"
component = "neighbour"
"#;
    let saboteur = Saboteur::start_with(policy, &[]);
    thread::scope(|scope| {
        let busy: Vec<_> = (0..32)
            .map(|_| scope.spawn(|| saboteur.call("/poll-clock")))
            .collect();
        eventually(
            || saboteur.log().matches("polling the clock").count(),
            |count| *count == 32,
        );
        saboteur.call("/steps?count=40").is(200);
        for busy in busy {
            busy.join().expect("a response").is(504);
        }
    });
}

#[test]
fn queries_that_never_end_do_not_stop_the_others() {
    let saboteur = Saboteur::shared();
    let endless = "WITH%20RECURSIVE%20c(x)%20AS%20(SELECT%201%20UNION%20ALL%20SELECT%20x%2B1%20FROM%20c)%20SELECT%20count(*)%20FROM%20c";
    thread::scope(|scope| {
        let busy: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| saboteur.call(&format!("/sql?statement={endless}"))))
            .collect();
        for _ in 0..20 {
            saboteur.call("/greet/me").is(200);
            saboteur.call("/livez").is(200);
        }
        for busy in busy {
            // The guest receives the error and reports it itself.
            let response = busy.join().expect("a response").is(500);
            assert!(
                response.text().contains("the deadline came first"),
                "{response}"
            );
        }
    });
}

#[test]
fn an_instance_that_never_starts_is_discarded() {
    let source = root().join("target/wasm32-wasip2/release/saboteur.wasm");
    let never_ready = format!(
        r#"
[component.never-ready]
source = {source:?}
allowed_outbound_hosts = ["http://saboteur.spin.internal", "{{{{ redis_address }}}}"]
key_value_stores = ["saboteur"]
sqlite_databases = ["saboteur"]
environment = {{ START = "spin" }}

[[trigger.http]]
route = "/never-ready"
component = "never-ready"
"#
    );
    let saboteur = Saboteur::start_with(&never_ready, &[]);
    let instances =
        || saboteur.admin().json("/instances")["components"]["never-ready"]["alive"].clone();
    saboteur
        .call("/never-ready")
        .problem(504, "deadline-exceeded");
    eventually(instances, |alive| *alive == 0);
    saboteur.call("/greet/me").is(200);
}

#[test]
fn a_guest_that_hoards_memory_fails_alone() {
    let saboteur = Saboteur::shared();
    saboteur.call("/hoard?mib=8").is(200);
    saboteur
        .call("/hoard?mib=512")
        .problem(500, "component-trapped");
    assert_neighbour_responds(saboteur);
}

#[test]
fn an_instance_is_reused_after_a_good_answer() {
    let saboteur = Saboteur::start(&[]);
    let first: u32 = saboteur.call("/count").text().parse().expect("a number");
    let again = (0..10).map(|_| {
        saboteur
            .call("/count")
            .text()
            .parse::<u32>()
            .expect("a number")
    });
    assert!(
        again.max() > Some(first),
        "every request had an instance of its own"
    );
}

#[test]
fn an_instance_that_works_after_its_response_takes_no_new_call() {
    let saboteur = Saboteur::start_with(&call_deadline("30s"), &[]);
    saboteur.call("/linger?ms=20000").is(200);
    let started = Instant::now();
    saboteur.call("/count").is(200);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "the next caller waited for it"
    );
}

#[test]
fn the_output_of_a_guest_is_logged_with_component_and_request_id() {
    let saboteur = Saboteur::start(&["--log-format", "json"]);
    saboteur
        .get("/log?out=one&err=two")
        .header("x-request-id", "order-66")
        .send()
        .is(200);
    let log =
        harness::eventually(|| saboteur.log(), |log| log.contains("\"two\"")).replace(' ', "");
    for line in ["one", "two"] {
        let line = log
            .lines()
            .find(|text| text.contains(&format!("\"message\":\"{line}\"")))
            .expect("the line");
        assert!(line.contains("\"component\":\"saboteur\""), "{line}");
        assert!(line.contains("\"request_id\":\"order-66\""), "{line}");
    }
}

#[test]
fn what_a_guest_reports_is_shown_in_a_quiet_log() {
    let saboteur = Saboteur::start(&["-q", "--log-format", "json"]);
    saboteur.call("/log?out=plain&err=alarming").is(200);
    let log = harness::eventually(|| saboteur.log(), |log| log.contains("alarming"));
    let line = log.lines().find(|line| line.contains("alarming"));
    let line: serde_json::Value = serde_json::from_str(line.expect("the line")).expect("JSON");
    assert_eq!(line["level"], "WARN", "{line:#}");
    assert!(!log.contains("plain"), "{log}");
}

/// It may be between two changes that belong together.
#[test]
fn a_call_goes_on_when_its_client_has_left() {
    let saboteur = Saboteur::start(&[]);
    let busy = || saboteur.admin().json("/instances")["components"]["saboteur"]["busy"].clone();
    let mut connection = saboteur.connect();
    let request = b"GET /sleep?ms=2000 HTTP/1.1\r\nhost: a\r\n\r\n";
    connection.write_all(request).expect("a request");
    harness::eventually(busy, |busy| *busy == 1);
    drop(connection);
    let left = Instant::now();
    while left.elapsed() < Duration::from_secs(1) {
        assert_eq!(busy(), 1, "after {:?}", left.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    harness::eventually(busy, |busy| *busy == 0);
}
