//! Does a trace show what happened to a request: each attempt, each delivery, and what the trace of the caller demands?

use harness::{CollectedSpan, Collector, OtlpProtocol, eventually, tree};

use crate::delivery::{escaped, received};
use crate::saboteur::Saboteur;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const NEIGHBOUR: &str = "http://neighbour.spin.internal";

/// `traceparent` of a caller, with these flags.
fn parent(flags: &str) -> String {
    format!("00-{TRACE}-00f067aa0ba902b7-{flags}")
}

/// A host that sends its spans to a collector.
fn traced(policy: &str, arguments: &[&str]) -> (Saboteur, Collector) {
    let collector = Collector::start();
    let variables = collector.variables(OtlpProtocol::Http);
    let saboteur = Saboteur::start_in(&variables, policy, arguments);
    (saboteur, collector)
}

/// Sends a request in the trace, and returns the text of the response.
fn call(saboteur: &Saboteur, path: &str) -> String {
    let request = saboteur.get(path).header("traceparent", &parent("01"));
    request.send().is(200).text()
}

/// What a line of the tree says of a span.
fn note(span: &CollectedSpan) -> String {
    let is_error = if span.is_error { "error " } else { "" };
    let failures = span.attribute("socar.delivery.failures");
    format!("{is_error}{}{failures}", span.attribute("error.type"))
}

#[test]
fn a_retry_executes_the_component_in_a_span_of_its_own() {
    let (saboteur, collector) = traced("retry = { attempts = 1 }", &[]);
    let request = saboteur.get("/trap").header("traceparent", &parent("01"));
    request.send().is(500);
    let spans = collector.wait_for_trace(TRACE, |spans| spans.len() == 3);
    let expected = "\
SERVER GET /... error component-trapped
  INTERNAL execute_wasm_component saboteur error component-trapped
  INTERNAL execute_wasm_component saboteur error component-trapped
";
    assert_eq!(tree(&spans, note), expected);
}

#[test]
fn a_call_that_is_cut_off_has_a_span_and_no_execution() {
    let policy = "[component.saboteur.tool.socar.links.neighbour]\nbreaker = true";
    let (saboteur, collector) = traced(policy, &[]);
    let link = "saboteur -> neighbour";
    call(&saboteur, &format!("/chain?url={NEIGHBOUR}/greet/you"));
    saboteur.admin().control_breaker("force-open", link);
    call(&saboteur, &format!("/chain?url={NEIGHBOUR}/greet/you"));
    let of_link = |spans: &[CollectedSpan]| -> Vec<CollectedSpan> {
        let spans = spans.iter();
        let of_link = spans.filter(|span| span.attribute("socar.link") == link);
        of_link.cloned().collect()
    };
    let spans = collector.wait_for_trace(TRACE, |spans| of_link(spans).len() == 2);
    let calls = of_link(&spans);
    let cut_off: Vec<_> = calls.iter().filter(|span| span.is_error).collect();
    let [cut_off] = cut_off[..] else {
        panic!("{calls:#?}")
    };
    assert_eq!(cut_off.attribute("error.type"), "cut-off");
    assert!(!spans.iter().any(|span| cut_off.is_parent_of(span)));
}

#[test]
fn every_delivery_of_an_event_has_a_span_that_leads_to_its_publication() {
    let (saboteur, collector) = traced("", &[]);
    let event = serde_json::json!({
        "specversion": "1.0", "id": "7", "source": "test", "type": "Tried", "subject": "a/1",
        "data": { "behave": "fail-times:2" },
    });
    let event = escaped(&event.to_string());
    let append = "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=";
    call(&saboteur, &format!("{append}{event}"));
    eventually(|| received(&saboteur), |count| *count == 1);
    let spans = collector.wait_for_trace(TRACE, |spans| spans.len() == 9);
    let expected = "\
SERVER GET /...
  INTERNAL execute_wasm_component saboteur
    PRODUCER publish socar.saboteur
      CONSUMER process socar.saboteur 2
        INTERNAL execute_wasm_component saboteur
      CONSUMER process socar.saboteur error failed0
        INTERNAL execute_wasm_component saboteur error rejected
      CONSUMER process socar.saboteur error failed1
        INTERNAL execute_wasm_component saboteur error rejected
";
    assert_eq!(tree(&spans, note), expected);
    let of_kind = |kind| spans.iter().filter(move |span| span.kind == kind);
    let publication = of_kind("PRODUCER").next().expect("a publication");
    let link = (TRACE.to_owned(), publication.span_id.clone());
    for delivery in of_kind("CONSUMER") {
        assert_eq!(delivery.links, std::slice::from_ref(&link));
    }
    let stored: serde_json::Value = saboteur.call("/kv/get?key=received:1").json();
    let published = stored["traceparent"].as_str().unwrap_or_default();
    assert_eq!(published, format!("00-{TRACE}-{}-01", publication.span_id));
}

#[test]
fn what_a_guest_sends_for_another_trace_belongs_to_that_trace() {
    let (saboteur, collector) = traced("", &[]);
    let other = "0af7651916cd43dd8448eb211c80319c";
    let event = serde_json::json!({
        "specversion": "1.0", "id": "8", "traceparent": format!("00-{other}-b7ad6b7169203331-01"),
    });
    let append = "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=";
    call(
        &saboteur,
        &format!("{append}{}", escaped(&event.to_string())),
    );
    let of_kind = |spans: &[CollectedSpan], kind| {
        let found = spans.iter().find(|span| span.kind == kind);
        found.cloned()
    };
    let spans = collector.wait_for_trace(other, |spans| of_kind(spans, "CONSUMER").is_some());
    let publication = of_kind(&spans, "PRODUCER").expect("a publication");
    assert_eq!(publication.parent_id, "b7ad6b7169203331");
    let work = collector.wait_for_trace(TRACE, |spans| of_kind(spans, "INTERNAL").is_some());
    let work = of_kind(&work, "INTERNAL").expect("an execution");
    assert_eq!(publication.links, [(TRACE.to_owned(), work.span_id)]);
}

#[test]
fn a_trace_that_is_not_sampled_has_no_spans() {
    let (saboteur, collector) = traced("", &[]);
    let chained = format!("/chain?url={NEIGHBOUR}/echo");
    let request = saboteur.get(&chained);
    let response = request.header("traceparent", &parent("00")).send().is(200);
    assert!(response.text().contains(&parent("00")), "{response}");
    let other = "0af7651916cd43dd8448eb211c80319c";
    let sampled = format!("00-{other}-b7ad6b7169203331-01");
    let request = saboteur.get(&chained).header("traceparent", &sampled);
    let response = request.send().is(200);
    assert!(response.text().contains(other), "{response}");
    assert!(!response.text().contains(&sampled), "{response}");
    collector.wait_for_trace(other, |spans| spans.len() == 4);
    assert_eq!(collector.trace(TRACE), []);
}

#[test]
fn the_sampler_decides_about_traces_that_begin_here() {
    let collector = Collector::start();
    let mut variables = collector.variables(OtlpProtocol::Http).to_vec();
    let sampler = "parentbased_always_off".to_owned();
    variables.push(("OTEL_TRACES_SAMPLER", sampler));
    let saboteur = Saboteur::start_in(&variables, "", &[]);
    let echo = saboteur.call("/echo").is(200);
    let own = echo.header("x-request-id").to_owned();
    let unsampled = echo.text();
    let line = unsampled
        .lines()
        .find(|line| line.starts_with("traceparent: "));
    assert!(
        line.is_some_and(|line| line.contains(&own) && line.ends_with("-00")),
        "{unsampled}"
    );
    call(&saboteur, "/greet/you");
    collector.wait_for_trace(TRACE, |spans| spans.len() == 2);
    assert_eq!(collector.trace(&own), []);
}

#[test]
fn operations_on_stores_have_spans_on_request() {
    let set = "/kv/set?store=saboteur&key=secret-key&value=secret-value";
    let (saboteur, collector) = traced("", &[]);
    call(&saboteur, set);
    let spans = collector.whole_trace(TRACE, |spans| spans.len() == 2);
    assert_eq!(spans.len(), 2, "{}", tree(&spans, note));

    let grants = "[component.saboteur.tool.socar]\nredis_keys = [\"counters:\"]";
    let (saboteur, collector) = traced(grants, &["--trace-stores"]);
    call(&saboteur, set);
    call(&saboteur, "/sql?statement=SELECT%201");
    assert_eq!(
        call(&saboteur, "/redis?command=GET&argument=counters:a"),
        "nil"
    );
    let of_stores = |spans: &[CollectedSpan]| -> Vec<String> {
        let stores = spans.iter().filter(|span| span.kind == "CLIENT");
        let line = |span: &CollectedSpan| {
            let of = |name| span.attribute(name).to_owned();
            format!("{} {}", of("db.system.name"), span.name)
        };
        stores.map(line).collect()
    };
    let spans = collector.wait_for_trace(TRACE, |spans| {
        let found = of_stores(spans);
        let wanted = ["sqlite set saboteur", "sqlite SELECT saboteur", "redis GET"];
        wanted
            .iter()
            .all(|wanted| found.iter().any(|it| it == wanted))
    });
    assert!(!format!("{spans:?}").contains("secret-"), "{spans:#?}");
}

#[test]
fn log_lines_carry_the_ids_of_their_span() {
    let arguments = ["--log-format", "json", "--access-log"];
    let (saboteur, collector) = traced("", &arguments);
    call(&saboteur, "/log?out=hello%20log");
    let spans = collector.wait_for_trace(TRACE, |spans| spans.len() == 2);
    let span_of = |message: &str| {
        let lines: Vec<serde_json::Value> = saboteur
            .log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let mut lines = lines.into_iter();
        let line = lines.find(|line: &serde_json::Value| line["message"] == message)?;
        assert_eq!(line["trace_id"], TRACE, "{line:#}");
        let span_id = line["span_id"].as_str()?.to_owned();
        let span = spans.iter().find(|span| span.span_id == span_id);
        Some(span.expect("an exported span").kind.clone())
    };
    let kind = |message: &str| eventually(|| span_of(message), Option::is_some);
    assert_eq!(kind("hello log").as_deref(), Some("INTERNAL"));
    assert_eq!(kind("request").as_deref(), Some("SERVER"));
}

#[test]
fn without_an_exporter_log_lines_carry_the_ids_of_the_caller() {
    let saboteur = Saboteur::start_with("", &["--log-format", "json"]);
    call(&saboteur, "/log?out=hello%20caller");
    saboteur.call("/log?out=hello%20nobody").is(200);
    let line = |message: &str| {
        eventually(
            || saboteur.log(),
            |log| log.lines().any(|line| line.contains(message)),
        )
        .lines()
        .find(|line| line.contains(message))
        .and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .unwrap_or_default()
    };
    let of_caller = line("hello caller");
    assert_eq!(of_caller["trace_id"], TRACE);
    assert_eq!(of_caller["span_id"], "00f067aa0ba902b7");
    assert!(line("hello nobody")["trace_id"].is_null());
}

#[test]
fn state_and_baggage_reach_every_hop() {
    let (saboteur, collector) = traced("", &[]);
    let send = |path: &str| {
        let request = saboteur.get(path).header("traceparent", &parent("01"));
        let request = request.header("tracestate", "vendor=1");
        request.header("baggage", "customer=7").send().is(200)
    };
    let echoed = send(&format!("/chain?url={NEIGHBOUR}/echo")).text();
    assert!(echoed.contains("tracestate: vendor=1"), "{echoed}");
    assert!(echoed.contains("baggage: customer=7"), "{echoed}");
    let event = escaped(r#"{"specversion":"1.0","id":"9"}"#);
    let append = "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=";
    send(&format!("{append}{event}"));
    eventually(|| received(&saboteur), |count| *count == 1);
    let stored: serde_json::Value = saboteur.call("/kv/get?key=received:1").json();
    assert_eq!(stored["tracestate"], "vendor=1");
    let has_delivery = |spans: &[CollectedSpan]| spans.iter().any(|it| it.kind == "CONSUMER");
    let spans = collector.wait_for_trace(TRACE, has_delivery);
    assert!(
        spans.iter().all(|span| span.state == "vendor=1"),
        "{spans:#?}"
    );
}
