//! Does every metric have a name, a type and a help text, and does its value follow what happens?

use std::io::{Read as _, Write as _};
use std::thread;

use harness::{Client, Protocol, eventually};
use http::Method;

use crate::saboteur::{Saboteur, call_deadline, manifest_with};

/// The link from outside to the saboteur.
const LINK: &str = "gateway -> saboteur";

/// The metrics that operators may rely on, with their types.
const METRICS: [(&str, &str); 25] = [
    ("socar_connections", "gauge"),
    ("socar_listener_refused_total", "counter"),
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
    ("socar_host_calls_total", "counter"),
    ("socar_sqlite_statements_total", "counter"),
    ("socar_redis_commands_total", "counter"),
    ("socar_event_lag", "gauge"),
    ("socar_event_pending", "gauge"),
    ("socar_dead_letters", "gauge"),
    ("socar_event_log_up", "gauge"),
    ("socar_events_total", "counter"),
    ("socar_build_info", "gauge"),
];

/// One call at a time, no queue, one retry, a breaker on one link, and a long deadline.
const POLICY: &str = r#"concurrency = 1
queue = 0
instances_min = 2
retry = { attempts = 1 }

[application.tool.socar.links.saboteur]
breaker = true

[component.saboteur.tool.socar]
deadline = "8s""#;

/// The value of a series that must exist.
fn metric(saboteur: &Saboteur, series: &str) -> f64 {
    let value = saboteur.admin().metric(series);
    value.unwrap_or_else(|| panic!("no {series} in\n{}", saboteur.admin().metrics()))
}

#[test]
fn every_metric_has_a_type_a_help_text_and_a_sample() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    saboteur.call("/greet/me").is(200);
    saboteur.admin().control_breaker("force-open", LINK);
    let text = eventually(
        || saboteur.admin().metrics(),
        |text| text.contains("\nsocar_event_lag{"),
    );
    for (name, kind) in METRICS {
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
fn metrics_follow_what_happens() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    let metric = |series: &str| metric(&saboteur, series);
    assert_eq!(metric(r#"socar_instances{component="saboteur"}"#), 2.0);

    saboteur.call("/greet/me").is(200);
    let completed = r#"socar_calls_total{link="gateway -> saboteur",outcome="2xx"}"#;
    assert_eq!(metric(completed), 1.0);
    let timed = r#"socar_call_seconds_count{link="gateway -> saboteur",outcome="answered"}"#;
    assert_eq!(metric(timed), 1.0);

    saboteur.call("/trap").is(500);
    let failed = r#"socar_call_seconds_count{link="gateway -> saboteur",outcome="failed"}"#;
    assert_eq!(metric(failed), 1.0);
    assert!(metric("process_resident_memory_bytes") > 1e6 && metric("process_open_fds") > 1.0);
    let retried = r#"socar_retries_total{link="gateway -> saboteur"}"#;
    assert_eq!(metric(retried), 1.0);

    let shed = r#"socar_calls_shed_total{component="saboteur",priority="low"}"#;
    assert_eq!(metric(shed), 0.0);
    shed_one_call(&saboteur);
    assert_eq!(metric(shed), 1.0);

    saboteur.admin().control_breaker("force-open", LINK);
    saboteur.call("/greet/me").is(503);
    let of_breaker = |name: &str, label: &str| {
        metric(&format!(
            r#"socar_breaker_{name}{{link="gateway -> saboteur"{label}}}"#
        ))
    };
    assert_eq!(of_breaker("state", r#",state="forced-open""#), 1.0);
    assert_eq!(of_breaker("state", r#",state="closed""#), 0.0);
    assert_eq!(of_breaker("transitions_total", r#",to="forced-open""#), 1.0);
    assert_eq!(of_breaker("refused_total", ""), 1.0);
}

/// A call that the breaker rejects.
fn reject_one_call(saboteur: &Saboteur) {
    saboteur.admin().control_breaker("force-open", LINK);
    saboteur.call("/greet/me").problem(503, "cut-off");
    saboteur.admin().control_breaker("reset", LINK);
}

/// A call that arrives while the only permit is in use.
fn shed_one_call(saboteur: &Saboteur) {
    thread::scope(|scope| {
        let slow = scope.spawn(|| saboteur.call("/sleep?ms=3000"));
        let running = r#"socar_calls_running{component="saboteur"}"#;
        eventually(|| metric(saboteur, running), |running| *running == 1.0);
        saboteur.call("/greet/me").problem(503, "overloaded");
        slow.join().expect("a response").is(200);
    });
}

#[test]
fn counters_continue_across_a_reload() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    let counters = || {
        [
            r#"socar_breaker_refused_total{link="gateway -> saboteur"}"#,
            r#"socar_calls_shed_total{component="saboteur",priority="low"}"#,
        ]
        .map(|series| metric(&saboteur, series))
    };
    for round in 1..=3 {
        reject_one_call(&saboteur);
        shed_one_call(&saboteur);
        assert_eq!(counters(), [f64::from(round); 2]);
        // The reload replaces the breaker and the admission.
        let failures = format!("breaker = {{ consecutive_failures = {} }}", round + 5);
        let policy = POLICY.replace("breaker = true", &failures);
        saboteur.deploy(&manifest_with(&policy));
    }
}

#[test]
fn calls_without_a_response_are_counted_by_outcome() {
    let saboteur = Saboteur::start_with(&POLICY.replace("retry", "# retry"), &[]);
    let count = |outcome: &str| {
        let link = "gateway -> saboteur";
        metric(
            &saboteur,
            &format!(r#"socar_calls_total{{link="{link}",outcome="{outcome}"}}"#),
        )
    };
    saboteur.call("/trap").is(500);
    assert_eq!(count("trap"), 1.0);
    saboteur.call("/sleep?ms=60000").is(504);
    assert_eq!(count("deadline"), 1.0);
    shed_one_call(&saboteur);
    assert_eq!(count("shed"), 1.0);
    saboteur.admin().control_breaker("force-open", LINK);
    saboteur.call("/greet/me").problem(503, "cut-off");
    assert_eq!(count("cut-off"), 1.0);
    assert_eq!(count("none"), 0.0);
}

#[test]
fn requests_refused_by_the_listener_are_counted_by_reason() {
    let policy = r#"body = "1KiB"
[application.tool.socar.listener]
connections = 4
headers = 16
head_time = "500ms"
body_pause = "500ms"
"#;
    let saboteur = Saboteur::start_with(&format!("{policy}{}", call_deadline("20s")), &[]);
    let refused = |reason: &str| {
        let series = format!(r#"socar_listener_refused_total{{reason="{reason}"}}"#);
        metric(&saboteur, &series)
    };
    // Sends text on a new connection and reads until the host closes it.
    let exchange = |text: &str| {
        let mut stream = saboteur.connect();
        stream.write_all(text.as_bytes()).expect("a request");
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        String::from_utf8_lossy(&response).into_owned()
    };
    let assert_refused = |text: &str, status: &str, reason: &str| {
        let before = refused(reason);
        let response = exchange(text);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
        eventually(|| refused(reason), |count| *count == before + 1.0);
    };
    assert_refused("GET / HTTP/1.1\r\n", "408", "request-timeout");
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ";
    assert_refused(&format!("{post}9\r\n\r\nhalf"), "408", "request-timeout");
    let long = format!("{post}2000\r\n\r\n{}", "x".repeat(2000));
    assert_refused(&long, "413", "payload-too-large");
    let many = "a: b\r\n".repeat(40);
    assert_refused(
        &format!("GET / HTTP/1.1\r\n{many}\r\n"),
        "431",
        "head-too-large",
    );
    assert_refused("nonsense\r\n\r\n", "400", "malformed");

    let connections = || metric(&saboteur, "socar_connections");
    eventually(connections, |count| *count == 0.0);
    thread::scope(|scope| {
        let busy = || {
            let client = Client::new(saboteur.url(), Protocol::Http1);
            client.request(Method::GET, "/sleep?ms=3000").send().is(200)
        };
        let busy: Vec<_> = (0..4).map(|_| scope.spawn(busy)).collect();
        let running = r#"socar_calls_running{component="saboteur"}"#;
        eventually(|| metric(&saboteur, running), |running| *running == 4.0);
        assert_eq!(connections(), 4.0);
        assert_refused(
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "503",
            "crowded",
        );
        busy.into_iter()
            .for_each(|it| drop(it.join().expect("a response")));
    });
}

#[test]
fn a_reload_applies_new_streams_and_retention() {
    let saboteur = Saboteur::start_with("", &[]);
    let text = manifest_with("retention = \"1s\"");
    let text = text + "\n[component.saboteur.tool.socar]\npublishes = [\"socar.other\"]\n";
    let trigger = "[[trigger.redis]]\nchannel = \"socar.other\"\ncomponent = \"saboteur\"\n";
    let text = text.replacen(
        "[[trigger.redis]]",
        &format!("{trigger}\n[[trigger.redis]]"),
        1,
    );
    saboteur.deploy(&text);
    let lag = r#"socar_event_lag{stream="socar.other","#;
    eventually(|| saboteur.admin().metrics(), |text| text.contains(lag));
    let append =
        "/redis?command=XADD&argument=socar.other&argument=*&argument=event&argument=hello";
    saboteur.call(append).is(200);
    eventually(
        || saboteur.log(),
        |log| log.contains("old events removed from the log"),
    );
}

#[test]
fn series_of_what_is_gone_are_left_out() {
    let redis = harness::RedisServer::start();
    let saboteur = Saboteur::start_with("", &["--redis-url", &redis.url()]);
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    // The group of a host that does not exist.
    let mut create = redis::cmd("XGROUP");
    let create = create
        .arg("CREATE")
        .arg("socar.saboteur")
        .arg("saboteur@ghost");
    let _: redis::Value = create
        .arg("0")
        .arg("MKSTREAM")
        .query(&mut connection)
        .expect("done");
    let series = [
        "socar_instances{component=\"neighbour\"}",
        "socar_calls_running{component=\"neighbour\"}",
        "socar_concurrency_limit{component=\"neighbour\"}",
        "socar_breaker_state{link=\"gateway -> neighbour\"",
    ];
    let own = "socar_event_lag{stream=\"socar.saboteur\",group=\"saboteur\"}";
    let text = eventually(|| saboteur.admin().metrics(), |text| text.contains(own));
    assert!(!text.contains("saboteur@ghost"), "{text}");
    series[..3]
        .iter()
        .for_each(|name| assert!(text.contains(name), "{name}\n{text}"));
    // Without the neighbour and its private trigger.
    let manifest = manifest_with("");
    let (rest, _) = manifest
        .split_once("[component.neighbour]")
        .expect("the neighbour");
    let private = "[[trigger.http]]\nroute = { private = true }\ncomponent = \"neighbour\"\n";
    let (before, after) = rest.split_once(private).expect("the trigger");
    saboteur.deploy(
        &format!("{before}{after}").replace("http://neighbour.spin.internal", "http://n.example"),
    );
    let left = |text: &String| !series.iter().any(|name| text.contains(name));
    let text = eventually(|| saboteur.admin().metrics(), left);
    assert!(left(&text), "{text}");
    assert!(text.contains("\nsocar_connections "), "{text}");
}
