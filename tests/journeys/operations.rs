//! Does the page of the platform reach the resources for operators, on behalf of operators alone?

use harness::{Mode, Platform, Response, Setup, eventually, read};
use http::Method;
use serde_json::{Value, json};

const FORCE_OPEN: &str = "/operations/breakers/force-open";
const RESET: &str = "/operations/breakers/reset";
const LINK: &str = "reservation -> payment";

fn local() -> Platform {
    Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument("local")
        .start()
}

fn steer(user: &Platform, path: &str) -> Response {
    user.post(path).json(&json!({"link": LINK})).send()
}

/// The operator requests that were announced, as path and actor.
fn announced(platform: &Platform) -> Vec<(Value, Value)> {
    let events = platform.events("socar.platform");
    let requests = events
        .iter()
        .filter(|event| event["type"] == "OperatorRequestHandled");
    requests
        .map(|event| (event["data"]["path"].clone(), event["actor"].clone()))
        .collect()
}

/// The paths of the table in `docs/src/admin.md`, with the methods of each.
fn resources() -> Vec<(String, Vec<String>)> {
    let page = read("docs/src/admin.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| [`"));
    let rows = rows.filter_map(|row| {
        let (path, rest) = row.split_once('`')?;
        let methods = rest.split('|').nth(1)?;
        let methods = methods.split(',').map(|method| method.trim().to_owned());
        Some((path.to_owned(), methods.collect()))
    });
    rows.collect()
}

#[test]
fn an_operator_steers_the_platform_by_the_page() {
    let platform = local();
    let olga = platform.signed_in("operator", "olga");
    let breakers = olga.get("/operations/breakers").send().is(200);
    assert_eq!(breakers.header("cache-control"), "no-store");
    let links = breakers.json();
    let links = links["breakers"].as_array().expect("breakers");
    assert!(links.iter().any(|breaker| breaker["link"] == LINK));
    let opened = steer(&olga, FORCE_OPEN).is(200).json();
    assert_eq!(opened["state"], "forced-open");
    assert_eq!(steer(&olga, RESET).is(200).json()["state"], "closed");
    for path in [
        "instances",
        "dead-letters?limit=1",
        "rebuild/viewpage",
        "metrics",
    ] {
        let answer = olga.get(&format!("/operations/{path}")).send();
        assert!(matches!(answer.status, 200 | 404), "{answer}");
    }
    olga.get("/operations/metrics").send().is(200);
    let head = olga.request(Method::HEAD, "/operations/instances").send();
    assert!(head.is(200).body.is_empty());
    let expected = [
        (json!("/breakers/force-open"), json!("olga")),
        (json!("/breakers/reset"), json!("olga")),
    ];
    eventually(|| announced(&platform), |found| *found == expected);
}

#[test]
fn every_resource_is_for_operators_alone() {
    let platform = local();
    let [customer, company, olga] = [
        ("customer", "alice"),
        ("host", "company"),
        ("operator", "olga"),
    ]
    .map(|(role, subject)| platform.signed_in(role, subject));
    let resources = resources();
    assert!(resources.len() > 10, "{resources:?}");
    for (path, methods) in resources {
        let target = format!(
            "/operations{}",
            path.replace("{component}", "viewpage")
                .replace("{id}", "1-0")
        );
        for method in methods {
            let method: Method = method.parse().expect("a method");
            let request = |user: &Platform| user.request(method.clone(), &target).send();
            request(&platform).problem(401, "token-required");
            request(&platform.with_token("x")).problem(401, "invalid-token");
            request(&customer).problem(403, "forbidden");
            request(&company).problem(403, "forbidden");
            if path == "/reload" {
                request(&olga).problem(404, "not-found");
            }
        }
    }
    olga.get("/operations").send().problem(404, "not-found");
    olga.get("/operations/nothing")
        .send()
        .problem(404, "not-found");
    let refused = olga.delete("/operations/breakers").send();
    refused.problem(405, "method-not-allowed");
    assert_eq!(refused.header("allow"), "GET");
    assert_eq!(announced(&platform), []);
}

#[test]
fn a_foreign_page_changes_and_reads_nothing() {
    for platform in [local(), Setup::new(Mode::Embedded).start()] {
        let user = match platform.get("/identity").send().json()["mode"].as_str() {
            Some("local") => platform.signed_in("operator", "olga"),
            _ => platform.with_token("none"),
        };
        let with = |name: &str, value: &str| {
            let request = user.post(FORCE_OPEN).json(&json!({"link": LINK}));
            request.header(name, value).send()
        };
        with("origin", "https://evil.example").problem(403, "foreign-origin");
        with("sec-fetch-site", "cross-site").problem(403, "foreign-origin");
        let read = user
            .get("/operations/breakers")
            .header("origin", "https://evil.example")
            .send();
        assert_eq!(read.optional_header("access-control-allow-origin"), None);
        user.assert_no_foreign_post(FORCE_OPEN);
        with("origin", platform.url()).is(200);
    }
}

#[test]
fn an_open_platform_has_operations_for_this_machine() {
    let platform = Setup::new(Mode::Embedded).argument("--chaos").start();
    let fault = json!({"to": "payment", "fault": "error", "seconds": 30});
    let started = platform
        .post("/operations/chaos")
        .json(&fault)
        .send()
        .is(200);
    let id = started.json()["id"].to_string();
    platform
        .delete(&format!("/operations/chaos/{id}"))
        .send()
        .is(200);
    let expected = vec![
        (json!("/chaos"), json!("local-program")),
        (json!(format!("/chaos/{id}")), json!("local-program")),
    ];
    eventually(|| announced(&platform), |found| *found == expected);
    // A name that was resolved to this machine, and a proxy in front of it.
    for (name, value) in [("host", "evil.example"), ("x-forwarded-for", "10.0.0.7")] {
        let request = platform.get("/operations/breakers").header(name, value);
        request.send().problem(404, "not-found");
    }
    // The links of the shipped application: by import (the view asks for records), of clients, of events.
    for (from, to, status) in [
        ("reservation", "payment", 200),
        ("reservation", "car", 200),
        ("outside", "frontend", 200),
        ("events", "viewpage", 200),
        ("payment", "outbound", 200),
        ("car", "payment", 422),
        ("message", "payment", 422),
        ("viewpage", "car", 200),
        ("events", "frontend", 422),
        ("car", "https://nowhere.example", 422),
    ] {
        let fault = json!({"from": from, "to": to, "fault": "error", "rate": 1e-9, "seconds": 1});
        let started = platform.post("/operations/chaos").json(&fault).send();
        assert_eq!(started.status, status, "{from} -> {to}: {started}");
    }
}
