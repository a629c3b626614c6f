//! Are functions of another component called as safely as over HTTP? Whatever the callee does, its caller gets a result
//! that says what the call may have done, and never a trap.

mod adapters;
mod fixture;
mod linking;

use std::thread;
use std::time::{Duration, Instant};

use harness::eventually;
use http::Method;
use serde_json::json;

use crate::saboteur::Saboteur;
use fixture::{LINK, caller, manifest, perform, shared};

#[test]
fn a_result_and_a_refusal_reach_the_caller() {
    assert_eq!(perform(shared(), "greet/you"), r#"Ok("hello you")"#);
    let refused = perform(shared(), "nonsense");
    assert_eq!(
        refused,
        r#"Err(Refusal::Refused("no such action: `nonsense`"))"#
    );
}

#[test]
fn a_callee_that_fails_may_have_done_something() {
    for action in ["trap", "exit", "hoard?mib=100"] {
        let failed = perform(shared(), action);
        assert!(
            failed.contains("effect: Effect::Unknown"),
            "{action}: {failed}"
        );
        assert!(
            failed.contains("component `saboteur` failed"),
            "{action}: {failed}"
        );
    }
    assert_eq!(perform(shared(), "greet/you"), r#"Ok("hello you")"#);
}

#[test]
fn a_callee_that_does_not_return_times_out_before_its_caller() {
    for action in ["spin", "poll-clock", "sleep?ms=60000"] {
        let begun = Instant::now();
        let late = perform(shared(), action);
        assert!(
            late.contains("effect: Effect::TimedOut"),
            "{action}: {late}"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn a_call_has_only_the_time_that_its_caller_has_left() {
    // The action alone would end before its deadline of two seconds.
    let late = shared().call("/late?ms=1000&action=sleep?ms=1500").is(200);
    assert!(late.text().contains("effect: Effect::TimedOut"), "{late}");
    let quick = shared().call("/late?ms=1000&action=greet/you").is(200);
    assert_eq!(quick.text(), r#"Ok("hello you")"#);
}

#[test]
fn a_callee_finishes_what_its_caller_no_longer_waits_for() {
    let left = shared().call("/leave?ms=100&action=sleep?ms=700").is(200);
    assert_eq!(left.text(), "left");
    // A trap or a dropped instance would leave a line in the log.
    thread::sleep(Duration::from_millis(900));
    assert_eq!(perform(shared(), "greet/you"), r#"Ok("hello you")"#);
    let log = shared().log();
    assert!(log.contains("sleeping 700 ms"), "{log}");
}

#[test]
fn the_host_sets_the_origin_of_a_call() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ask = || {
        let request = shared().get("/perform?action=origin");
        let request = request.header("traceparent", parent);
        let response = request.header("x-request-id", "order-7").send().is(200);
        response.text()
    };
    // The host is shared with tests whose calls do not return, and may be full for a moment.
    let origin = eventually(ask, |origin| !origin.contains("is overloaded"));
    assert!(
        origin.contains("order-7") && origin.contains(parent),
        "{origin}"
    );
    assert!(
        origin.contains("deadline: Some(") && !origin.contains("forged"),
        "{origin}"
    );
}

#[test]
fn an_open_breaker_rejects_a_call_before_it_has_any_effect() {
    let host = caller(
        &manifest().replace("breaker = false", "breaker = true"),
        &[],
    );
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
    host.admin().control_breaker("force-open", LINK);
    let rejected = perform(&host, "greet/you");
    assert!(rejected.contains("effect: Effect::None"), "{rejected}");
    assert!(rejected.contains("are cut off for now"), "{rejected}");
    assert!(rejected.contains("retry-after: Some("), "{rejected}");
    host.admin().control_breaker("reset", LINK);
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
}

#[test]
fn a_callee_that_keeps_failing_opens_the_breaker() {
    let breaker = "breaker = { consecutive_failures = 3, open_duration = \"1m\" }";
    let host = caller(&manifest().replace("breaker = false", breaker), &[]);
    for _ in 0..3 {
        perform(&host, "trap");
    }
    let rejected = perform(&host, "greet/you");
    assert!(rejected.contains("effect: Effect::None"), "{rejected}");
    assert_eq!(host.admin().breaker(LINK)["state"], "open");
}

#[test]
fn an_overload_rejects_calls_before_they_have_any_effect() {
    let link =
        "[component.caller.tool.socar.links.saboteur]\nconcurrency = 1\nqueue_timeout = \"50ms\"\n";
    let host = caller(&format!("{}\n{link}", manifest()), &[]);
    let results = host.call("/parallel?count=8&action=sleep?ms=300").is(200);
    let results = results.text();
    let (done, rejected): (Vec<_>, Vec<_>) = results.lines().partition(|it| it.starts_with("Ok"));
    assert!(!done.is_empty() && !rejected.is_empty(), "{results}");
    for result in rejected {
        assert!(result.contains("effect: Effect::None"), "{result}");
        assert!(result.contains("is overloaded"), "{result}");
    }
}

#[test]
fn one_instance_makes_a_bounded_number_of_calls() {
    let results = shared()
        .call("/parallel?count=100&action=sleep?ms=600")
        .is(200);
    let results = results.text();
    let too_many = "an instance of component `caller` is overloaded";
    let rejected = results.lines().filter(|it| it.contains(too_many));
    assert_eq!(rejected.count(), 100 - 64, "{results}");
}

#[test]
fn an_injected_fault_is_a_failure_of_the_callee() {
    let host = caller(&manifest(), &["--chaos"]);
    for (fault, effect) in [
        ("error", "Unknown"),
        ("trap", "Unknown"),
        ("spin", "TimedOut"),
    ] {
        let fault = json!({"from": "caller", "to": "saboteur", "fault": fault, "seconds": 60});
        host.admin().inject_fault(&fault);
        let failed = perform(&host, "greet/you");
        assert!(
            failed.contains(&format!("effect: Effect::{effect}")),
            "{fault}: {failed}"
        );
        host.admin().clear_faults();
    }
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
}

#[test]
fn components_that_call_each_other_in_a_loop_are_stopped() {
    // Each call of the loop ends somewhat earlier than its caller.
    let patient = manifest().replace("deadline = \"2s\"", "deadline = \"30s\"");
    let host = caller(&calling_delegate(&patient), &[]);
    let stopped = perform(&host, "loop");
    assert!(stopped.contains("is part of a loop of calls"), "{stopped}");
    assert!(stopped.contains("effect: Effect::None"), "{stopped}");
}

#[test]
fn a_component_may_be_called_again_by_its_callee() {
    // With one permit, a second one for the same chain of calls would never come.
    let policy = "concurrency = 1\nadaptive = false\n";
    let manifest = calling_delegate(&manifest()).replace("breaker = false\n", policy);
    let host = caller(&manifest, &[]);
    let nested = perform(&host, "delegate/delegate/delegate/it");
    assert_eq!(nested, r#"Ok("performed it")"#);
}

/// The manifest, with an import of the caller that the delegate satisfies.
fn calling_delegate(manifest: &str) -> String {
    let named = "\"saboteur:actions/actions\" = \"saboteur\"";
    manifest.replace(named, &named.replace("= \"saboteur\"", "= \"delegate\""))
}

#[test]
fn a_callee_reaches_only_its_own_stores() {
    let denied = perform(shared(), "kv/get?store=neighbour&key=a");
    assert!(denied.starts_with("Err(Refusal::Refused("), "{denied}");
    let allowed = perform(shared(), "kv/set?store=saboteur&key=a&value=b");
    assert!(allowed.starts_with("Ok("), "{allowed}");
}

#[test]
fn calls_are_counted_by_link_and_by_function() {
    let host = caller(&manifest(), &[]);
    perform(&host, "greet/you");
    perform(&host, "nonsense");
    perform(&host, "trap");
    let admin = host.admin();
    let function = "saboteur:actions/actions@1.0.0#perform";
    for outcome in ["ok", "refused", "unavailable"] {
        let series = format!(
            "socar_function_calls_total{{link=\"{LINK}\",function=\"{function}\",outcome=\"{outcome}\"}}"
        );
        assert_eq!(
            admin.metric(&series),
            Some(1.0),
            "{series}: {}",
            admin.metrics()
        );
    }
    for outcome in ["2xx", "4xx", "trap"] {
        let series = format!("socar_calls_total{{link=\"{LINK}\",outcome=\"{outcome}\"}}");
        assert_eq!(admin.metric(&series), Some(1.0), "{series}");
    }
}

#[test]
fn a_call_under_way_survives_a_reload() {
    let host = caller(&manifest(), &[]);
    thread::scope(|scope| {
        let under_way = scope.spawn(|| perform(&host, "sleep?ms=1200"));
        thread::sleep(Duration::from_millis(200));
        host.deploy(&manifest().replace("version = \"0.1.0\"", "version = \"0.2.0\""));
        let result = under_way.join().expect("a result");
        assert_eq!(result, r#"Ok("slept 1200 ms")"#);
    });
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
}

#[test]
fn an_instance_is_used_for_many_calls() {
    let host = caller(&manifest(), &[]);
    let counts: Vec<String> = (0..3).map(|_| perform(&host, "count")).collect();
    assert_eq!(counts, [r#"Ok("1")"#, r#"Ok("2")"#, r#"Ok("3")"#]);
}

/// Prints what a call of a function costs, compared with a request over HTTP: `cargo test --workspace --release --test
/// resilience -- --ignored --nocapture cost_of_a_call`.
#[test]
#[ignore = "a measurement, for a machine that does nothing else"]
fn cost_of_a_call() {
    let host = caller(&manifest(), &[]);
    let measure = |host: &Saboteur, path: &str| {
        let total = || host.cpu_ticks().values().sum::<u64>();
        let (before, begun) = (total(), Instant::now());
        for _ in 0..50 {
            let count = host.request(Method::GET, path).send().is(200).text();
            assert_eq!(count, "100");
        }
        (total() - before, begun.elapsed())
    };
    let function = "/repeat?count=100&action=greet/you";
    let http = "/repeat-http?count=100&url=http://saboteur.spin.internal/greet/you";
    measure(&host, function);
    measure(&host, http);
    let (function, function_time) = measure(&host, function);
    let (http, http_time) = measure(&host, http);
    let ratio = function as f64 / http as f64;
    println!(
        "function {function} ticks in {function_time:?}, HTTP {http} ticks in {http_time:?}: {ratio:.2}"
    );
    assert!(ratio < 0.5, "{ratio:.2}");
}
