//! Is one reservation one trace, from the request to the last event that it causes, also across hosts?

use std::collections::BTreeSet;

use harness::{
    Car, CollectedSpan, Collector, GatewayFault, Mode, OtlpProtocol, PaymentGateway, Platform,
    Process, RedisServer, Setup, eventually, read, socar, tree,
};
use serde_json::json;

harness::journeys!(
    one_reservation_is_one_trace,
    a_retry_of_a_payment_has_a_span_of_its_own,
    a_sweep_has_a_trace_of_its_own,
);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// The spans of a reservation, as the documentation shows them.
fn documented_tree() -> String {
    let page = read("docs/src/traces.md");
    let trees = page.split("```text\n").nth(1);
    let tree = trees.and_then(|rest| rest.split("```").next());
    tree.expect("a tree in docs/src/traces.md").to_owned()
}

/// Reserves a car in the trace.
fn reserve(platform: &Platform, car: &Car) {
    platform
        .post("/reservations")
        .header("traceparent", &format!("00-{TRACE}-{CALLER}-01"))
        .header("tracestate", "vendor=1")
        .header("baggage", "customer=7")
        .json(&json!({"carId": car.id}))
        .send()
        .is(201);
}

/// What a line of the tree says of a span: the type of its event, or the component that gets it.
fn note(span: &CollectedSpan) -> String {
    match span.kind.as_str() {
        "PRODUCER" => span.attribute("cloudevents.event_type").to_owned(),
        "CONSUMER" => format!("-> {}", span.attribute("socar.component")),
        _ => String::new(),
    }
}

fn of_kind<'s>(spans: &'s [CollectedSpan], kind: &str) -> Vec<&'s CollectedSpan> {
    spans.iter().filter(|span| span.kind == kind).collect()
}

fn one_reservation_is_one_trace(mode: Mode) {
    let (collector, gateway) = (Collector::start(), PaymentGateway::start());
    let platform = Setup::new(mode)
        .variable("payment_gateway_url", &gateway.url())
        .tracing_to(&collector, OtlpProtocol::Http)
        .start();
    let car = platform.register_car("traced");
    platform.wait_for_view(&car, &json!({"carStatus": "available"}));
    reserve(&platform, &car);
    platform.wait_for_view(&car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
    let documented = documented_tree();
    let spans = collector.whole_trace(TRACE, |spans| tree(spans, note) == documented);
    assert_eq!(tree(&spans, note), documented);

    let [request] = of_kind(&spans, "SERVER")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(request.parent_id, CALLER);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/reservations/..."),
        ("http.response.status_code", "201"),
        ("url.path", "/reservations"),
        ("socar.component", "reservation"),
    ] {
        assert_eq!(request.attribute(name), value, "{name}");
    }
    let payment = |span: &&CollectedSpan| span.attribute("http.request.method") == "POST";
    let payment = of_kind(&spans, "CLIENT").into_iter().find(payment);
    let payment = payment.expect("a request to the payment gateway");
    assert_eq!(payment.attribute("url.full"), gateway.url());
    assert_eq!(payment.attribute("http.response.status_code"), "201");
    let received = &gateway.approvals_of(&car)[0];
    let expected = format!("00-{TRACE}-{}-01", payment.span_id);
    assert_eq!(received.traceparent.as_ref(), Some(&expected));
    assert_eq!(received.tracestate.as_deref(), Some("vendor=1"));
    assert_eq!(received.baggage.as_deref(), Some("customer=7"));

    assert!(
        spans.iter().all(|span| span.state == "vendor=1"),
        "{spans:#?}"
    );
    assert!(spans.iter().all(|span| !span.is_error), "{spans:#?}");
    let publications = of_kind(&spans, "PRODUCER");
    for delivery in of_kind(&spans, "CONSUMER") {
        let [(trace, publication)] = &delivery.links[..] else {
            panic!("{delivery:#?}")
        };
        assert_eq!((&**trace, publication), (TRACE, &delivery.parent_id));
        let event = |span: &CollectedSpan| span.attribute("cloudevents.event_id").to_owned();
        let origin = publications
            .iter()
            .find(|span| span.span_id == *publication);
        assert_eq!(origin.map(|span| event(span)), Some(event(delivery)));
    }
}

fn a_retry_of_a_payment_has_a_span_of_its_own(mode: Mode) {
    let (collector, gateway) = (Collector::start(), PaymentGateway::start());
    gateway.set_fault(GatewayFault::RefusesConnections);
    let platform = Setup::new(mode)
        .variable("payment_gateway_url", &gateway.url())
        .tracing_to(&collector, OtlpProtocol::Http)
        .start();
    let car = platform.register_car("never paid");
    platform
        .post("/reservations")
        .header("traceparent", &format!("00-{TRACE}-{CALLER}-01"))
        .json(&json!({"carId": car.id}))
        .send()
        .is(503);
    let approvals = |spans: &[CollectedSpan]| -> Vec<CollectedSpan> {
        let is_approval = |span: &&CollectedSpan| {
            span.kind == "CLIENT" && span.attribute("http.request.method") == "POST"
        };
        spans.iter().filter(is_approval).cloned().collect()
    };
    let spans = collector.wait_for_trace(TRACE, |spans| {
        of_kind(spans, "SERVER").len() == 1 && approvals(spans).len() == 2
    });
    let [first, second] = &approvals(&spans)[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(first.parent_id, second.parent_id);
    assert!(first.end <= second.start, "{first:#?} {second:#?}");
    let resends = [first, second].map(|span| span.attribute("http.request.resend_count"));
    assert_eq!(resends, ["", "1"]);
    for attempt in [first, second] {
        assert_eq!(attempt.attribute("error.type"), "connection_refused");
    }
    let request = of_kind(&spans, "SERVER")[0];
    assert!(request.is_error);
    assert_eq!(request.attribute("http.response.status_code"), "503");
}

fn a_sweep_has_a_trace_of_its_own(mode: Mode) {
    let collector = Collector::start();
    let _platform = Setup::new(mode)
        .tracing_to(&collector, OtlpProtocol::Grpc)
        .start();
    let is_sweep = |span: &CollectedSpan| span.name == "sweep reservation";
    let spans = eventually(|| collector.spans(), |spans| spans.iter().any(is_sweep));
    let sweep = spans.iter().find(|span| is_sweep(span)).expect("a sweep");
    assert_eq!(sweep.parent_id, "");
    let expected = "\
INTERNAL sweep reservation
  INTERNAL execute_wasm_component reservation
";
    let spans = collector.whole_trace(&sweep.trace_id, |spans| tree(spans, note) == expected);
    assert_eq!(tree(&spans, note), expected);
}

#[test]
fn a_reservation_is_one_trace_across_deployments() {
    const TOKEN: &str = "shared-by-the-contexts";
    let collector = Collector::start();
    let setup = |service: &str| {
        Setup::new(Mode::Embedded)
            .variable("context_token", TOKEN)
            .tracing_to(&collector, OtlpProtocol::Http)
            .environment("OTEL_SERVICE_NAME", service)
    };
    let others = setup("others").start();
    let car = others.register_car("of another deployment");
    let reservations = setup("reservations")
        .argument("-c")
        .argument("reservation")
        .variable("car_url", others.url())
        .variable("payment_url", others.url())
        .start();
    reserve(&reservations, &car);
    /// A request to the other host, as the one that sends it and as the one that serves it.
    fn request<'s>(spans: &'s [CollectedSpan], path: &str) -> Option<[&'s CollectedSpan; 2]> {
        let mut all = spans.iter();
        let served = all.find(|span| span.attribute("http.route") == path)?;
        let sent = spans.iter().find(|span| span.is_parent_of(served))?;
        Some([sent, served])
    }
    let paths = ["/cars/...", "/payments/..."];
    let spans = collector.wait_for_trace(TRACE, |spans| {
        paths.iter().all(|path| request(spans, path).is_some())
    });
    let service = |span: &CollectedSpan| span.resource["service.name"].clone();
    for path in paths {
        let [sent, served] = request(&spans, path).expect("a request to another host");
        assert_eq!(sent.kind, "CLIENT");
        assert_eq!(
            (service(sent), service(served)),
            ("reservations".into(), "others".into())
        );
    }
}

#[test]
fn a_relayed_event_stays_in_its_trace() {
    const SECRET: &str = "relay secret";
    let collector = Collector::start();
    let redis = std::sync::Arc::new(RedisServer::start());
    let source = Setup::new(Mode::Redis)
        .on(&redis)
        .tracing_to(&collector, OtlpProtocol::Http)
        .environment("OTEL_SERVICE_NAME", "source")
        .start();
    let target = Setup::new(Mode::Embedded)
        .variable("relay_secret", SECRET)
        .tracing_to(&collector, OtlpProtocol::Http)
        .environment("OTEL_SERVICE_NAME", "target")
        .start();
    // The host does not take the events that the relay is to get.
    let car = source.register_car("relayed");
    reserve(&source, &car);
    source.wait_for_view(&car, &json!({"rsvStatus": "reserved"}));
    source.terminate();
    let mut command = socar();
    command
        .args(["relay", "-f", "spin.toml", "--secret", SECRET])
        .args(["--redis-url", &redis.url(), "--to", target.url()])
        .envs(collector.variables(OtlpProtocol::Http));
    let _relay = Process::start("relay", command, target.state_dir());
    let services = |spans: &[CollectedSpan]| -> BTreeSet<String> {
        let names = spans
            .iter()
            .map(|span| span.resource["service.name"].clone());
        names.collect()
    };
    /// A delivery of the relay, the request by which it is made, and the request that the target serves.
    fn relayed(spans: &[CollectedSpan]) -> Option<[&CollectedSpan; 3]> {
        let mut all = spans.iter();
        let is_of_target = |span: &&CollectedSpan| span.resource["service.name"] == "target";
        let served = all.find(|span| is_of_target(span) && span.kind == "SERVER")?;
        let parent_of = |child: &CollectedSpan| spans.iter().find(|span| span.is_parent_of(child));
        let sent = parent_of(served)?;
        Some([parent_of(sent)?, sent, served])
    }
    // The relay and the target export their spans at times of their own.
    let spans = collector.wait_for_trace(TRACE, |spans| {
        services(spans).len() == 3 && relayed(spans).is_some()
    });
    let [delivery, sent, _] = relayed(&spans).expect("a delivery of the relay");
    assert_eq!((&*sent.kind, &*delivery.kind), ("CLIENT", "CONSUMER"));
    assert_eq!(delivery.resource["service.name"], "socar-relay");
}
