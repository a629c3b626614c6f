//! Does a collector that is absent, slow or unwilling cost nothing but spans, and does it get them again when it is back?

use std::time::{Duration, Instant};

use harness::{Collector, CollectorFault, OtlpProtocol, eventually};

use crate::saboteur::Saboteur;

const PROTOCOLS: [OtlpProtocol; 2] = [OtlpProtocol::Http, OtlpProtocol::Grpc];

/// Longer than any stop of a host: the timeout of the last export, and a margin for a busy machine.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A host that sends its spans to this collector, with more variables.
fn traced(
    collector: &Collector,
    protocol: OtlpProtocol,
    more: &[(&'static str, &str)],
) -> Saboteur {
    let mut variables = collector.variables(protocol).to_vec();
    variables.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    Saboteur::start_in(&variables, "", &[])
}

/// A request in a trace of its own, whose id is returned.
fn call(saboteur: &Saboteur) -> String {
    let response = saboteur.call("/greet/you").is(200);
    response.header("x-request-id").to_owned()
}

/// The spans of a request.
const SPANS: usize = 2;

fn exported(collector: &Collector, trace_id: &str) {
    collector.wait_for_trace(trace_id, |spans| spans.len() == SPANS);
}

fn dropped(saboteur: &Saboteur, reason: &str) -> f64 {
    let series = format!("socar_spans_dropped_total{{reason=\"{reason}\"}}");
    let value = saboteur.admin().metric(&series);
    value.unwrap_or_else(|| panic!("no {series} in\n{}", saboteur.admin().metrics()))
}

fn log_lines(saboteur: &Saboteur, text: &str) -> usize {
    let log = saboteur.log();
    log.lines().filter(|line| line.contains(text)).count()
}

/// Waits until the text is in the log, where it must stand once: the output of a host arrives at a time of its own.
#[track_caller]
fn logged_once(saboteur: &Saboteur, text: &str) {
    let lines = eventually(|| log_lines(saboteur, text), |lines| *lines > 0);
    assert_eq!(lines, 1, "{text}: {}", saboteur.log());
}

#[test]
fn spans_are_exported_over_both_protocols() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let saboteur = traced(&collector, protocol, &[]);
        exported(&collector, &call(&saboteur));
        let requests = collector.requests();
        assert!(requests.iter().all(|it| it.protocol == protocol));
        let spans = collector.spans();
        let resource = &spans[0].resource;
        assert_eq!(resource["service.name"], "saboteur", "{resource:?}");
        assert_eq!(resource["service.version"], "0.1.0", "{resource:?}");
        assert!(spans.iter().all(|span| span.start <= span.end));
        // The exporter counts them after the answer of the collector.
        eventually(
            || saboteur.admin().metric("socar_spans_exported_total"),
            |count| count.is_some_and(|count| count >= SPANS as f64),
        );
    }
}

#[test]
fn an_absent_collector_costs_only_the_spans_of_its_absence() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        collector.set_fault(CollectorFault::RefusesConnections);
        let saboteur = traced(&collector, protocol, &[("OTEL_BSP_EXPORT_TIMEOUT", "300")]);
        call(&saboteur);
        eventually(|| dropped(&saboteur, "unavailable"), |count| *count > 0.0);
        for _ in 0..20 {
            call(&saboteur);
        }
        logged_once(&saboteur, "spans cannot be exported");
        logged_once(&saboteur, "spans were dropped");
        collector.clear_fault();
        let recent = call(&saboteur);
        exported(&collector, &recent);
        logged_once(&saboteur, "spans are exported again");
    }
}

#[test]
fn a_collector_that_never_answers_delays_no_request_and_bounds_the_memory() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        collector.set_fault(CollectorFault::Hangs);
        let small = [
            ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
        ];
        let saboteur = traced(&collector, protocol, &small);
        let begun = Instant::now();
        for _ in 0..50 {
            call(&saboteur);
        }
        // Fifty waits for the collector, of which each takes its whole timeout, would be far longer.
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?}",
            begun.elapsed()
        );
        // Whatever fits neither into the queue nor into the batch under way.
        eventually(
            || dropped(&saboteur, "queue-full"),
            |lost| *lost >= (50 * SPANS - 12) as f64,
        );
        let stop = Instant::now();
        assert!(saboteur.terminate().success());
        assert!(stop.elapsed() < STOP_TIMEOUT, "{:?}", stop.elapsed());
        assert_eq!(
            log_lines(&saboteur, "reason=\"stopped\""),
            1,
            "{}",
            saboteur.log()
        );
    }
}

#[test]
fn a_collector_that_is_overloaded_is_asked_again_when_it_says() {
    for status in [429, 503] {
        let collector = Collector::start();
        let fault = CollectorFault::Status {
            status,
            retry_after: Some(3),
        };
        collector.set_fault(fault);
        let saboteur = traced(&collector, OtlpProtocol::Http, &[]);
        let trace_id = call(&saboteur);
        eventually(|| collector.requests().len(), |requests| *requests == 1);
        let begun = Instant::now();
        collector.clear_fault();
        exported(&collector, &trace_id);
        assert!(
            begun.elapsed() > Duration::from_millis(2500),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(dropped(&saboteur, "unavailable"), 0.0);
    }
}

#[test]
fn an_unavailable_grpc_service_is_asked_again() {
    let collector = Collector::start();
    let fault = CollectorFault::Status {
        status: 503,
        retry_after: None,
    };
    collector.set_fault(fault);
    let saboteur = traced(&collector, OtlpProtocol::Grpc, &[]);
    let trace_id = call(&saboteur);
    eventually(|| collector.requests().len(), |requests| *requests >= 1);
    collector.clear_fault();
    exported(&collector, &trace_id);
    assert_eq!(dropped(&saboteur, "unavailable"), 0.0);
    eventually(
        || saboteur.log(),
        |log| log.contains("gRPC status 14: no room"),
    );
}

#[test]
fn a_collector_that_refuses_spans_gets_them_once() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let fault = CollectorFault::Status {
            status: 400,
            retry_after: None,
        };
        collector.set_fault(fault);
        let saboteur = traced(&collector, protocol, &[]);
        call(&saboteur);
        let sent = || -> usize { collector.requests().iter().map(|it| it.spans).sum() };
        eventually(
            || (dropped(&saboteur, "rejected"), sent()),
            |(dropped, sent)| *dropped >= SPANS as f64 && *dropped == *sent as f64,
        );
        call(&saboteur);
        eventually(
            || dropped(&saboteur, "rejected"),
            |count| *count >= 2.0 * SPANS as f64,
        );
        logged_once(&saboteur, "spans were dropped");
    }
}

#[test]
fn spans_that_a_collector_leaves_out_are_counted() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        collector.set_fault(CollectorFault::Rejects(1));
        let saboteur = traced(&collector, protocol, &[]);
        call(&saboteur);
        eventually(|| dropped(&saboteur, "rejected"), |count| *count >= 1.0);
        eventually(|| saboteur.log(), |log| log.contains("too old"));
    }
}

#[test]
fn the_last_spans_are_exported_at_the_stop() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let late = [("OTEL_BSP_SCHEDULE_DELAY", "60000")];
        let saboteur = traced(&collector, protocol, &late);
        let trace_id = call(&saboteur);
        assert_eq!(collector.trace(&trace_id), []);
        assert!(saboteur.terminate().success());
        assert_eq!(collector.trace(&trace_id).len(), SPANS);
    }
}

#[test]
fn an_absent_collector_does_not_delay_the_stop() {
    let collector = Collector::start();
    collector.set_fault(CollectorFault::RefusesConnections);
    let saboteur = traced(&collector, OtlpProtocol::Http, &[]);
    call(&saboteur);
    eventually(
        || log_lines(&saboteur, "spans cannot be exported"),
        |lines| *lines == 1,
    );
    let stop = Instant::now();
    assert!(saboteur.terminate().success());
    assert!(stop.elapsed() < STOP_TIMEOUT, "{:?}", stop.elapsed());
}

#[test]
fn headers_with_tokens_reach_the_collector_and_no_log() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let secret = [
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20hush,malformed hush",
            ),
            ("RUST_LOG", "trace"),
        ];
        let saboteur = traced(&collector, protocol, &secret);
        exported(&collector, &call(&saboteur));
        let requests = collector.requests();
        let [first, ..] = &requests[..] else {
            panic!("no request")
        };
        assert_eq!(first.headers["authorization"], "Bearer hush");
        assert!(saboteur.terminate().success());
        let log = saboteur.log();
        assert!(
            log.contains("OTEL_EXPORTER_OTLP_HEADERS is ignored"),
            "{log}"
        );
        let shown = log.lines().find(|line| line.contains("hush"));
        assert_eq!(shown, None);
    }
}

#[test]
fn a_disabled_exporter_sends_nothing_and_changes_nothing() {
    let collector = Collector::start();
    let disabled = [("OTEL_SDK_DISABLED", "true")];
    let saboteur = traced(&collector, OtlpProtocol::Http, &disabled);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let chained = "/chain?url=http://neighbour.spin.internal/echo";
    let request = saboteur.get(chained).header("traceparent", parent);
    let response = request.send().is(200);
    assert!(
        response.text().contains(&format!("traceparent: {parent}")),
        "{response}"
    );
    assert!(saboteur.terminate().success());
    assert_eq!(collector.requests().len(), 0);
    assert_eq!(log_lines(&saboteur, "spans"), 0);
}

#[test]
fn a_wrong_setting_stops_nothing() {
    let collector = Collector::start();
    let wrong = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
    ];
    let saboteur = traced(&collector, OtlpProtocol::Http, &wrong);
    exported(&collector, &call(&saboteur));
    for (name, value) in wrong {
        let warning = format!("the environment variable {name}={value} is ignored");
        logged_once(&saboteur, &warning);
    }
}

/// Prints what spans cost: `cargo test --workspace --release --test resilience -- --ignored --nocapture cost_of_spans`.
#[test]
#[ignore = "a measurement, for a machine that does nothing else"]
fn cost_of_spans() {
    const REQUESTS: usize = 3000;
    let collector = Collector::start();
    let measure = |saboteur: &Saboteur| {
        let total = || saboteur.cpu_ticks().values().sum::<u64>();
        let before = total();
        for _ in 0..REQUESTS {
            call(saboteur);
        }
        total() - before
    };
    let off = traced(
        &collector,
        OtlpProtocol::Http,
        &[("OTEL_SDK_DISABLED", "true")],
    );
    let unsampled = [("OTEL_TRACES_SAMPLER", "always_off")];
    let unsampled = traced(&collector, OtlpProtocol::Http, &unsampled);
    let on = traced(&collector, OtlpProtocol::Http, &[]);
    let hosts = [&off, &unsampled, &on];
    let _warmed_up = hosts.map(measure);
    // Interleaved, so that whatever else the machine does affects all of them.
    let mut ticks = [0; 3];
    for _ in 0..3 {
        let round = hosts.map(measure);
        ticks
            .iter_mut()
            .zip(round)
            .for_each(|(sum, round)| *sum += round);
    }
    let [off, unsampled, on] = ticks;
    println!(
        "ticks for {REQUESTS} requests, three times: off {off}, not sampled {unsampled}, on {on}"
    );
    assert!(on < 2 * off, "{ticks:?}");
}
