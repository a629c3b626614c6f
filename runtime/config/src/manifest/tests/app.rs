//! Whole manifests: the shipped one, and the keys that the other tests do not use.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use resilience::Priority;

use super::{CAR, HEAD, app, load_with};
use crate::manifest::{App, Overrides};
use crate::policy::EventDelivery;

const OURS: &str = include_str!("../../../../../spin.toml");

fn ours(overrides: &Overrides) -> App {
    load_with(OURS, overrides).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_shipped_manifest_is_accepted() {
    let app = ours(&Overrides::default());
    let names: Vec<&str> = app
        .components
        .iter()
        .map(|component| component.id.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "car",
            "reservation",
            "payment",
            "message",
            "viewpage",
            "frontend"
        ]
    );
    assert_eq!(app.redis_address.as_deref(), Some("redis://127.0.0.1:6379"));
    let reservation = app.component("reservation").expect("a reservation");
    assert!(
        reservation
            .allowed_outbound_hosts
            .allows("http", "car.spin.internal", None)
    );
    assert!(
        reservation
            .allowed_outbound_hosts
            .allows_url("redis://127.0.0.1:6379", "redis")
    );
    assert_eq!(reservation.policy.sweep, Some(Duration::from_secs(5)));
    let payment = app.component("payment").expect("a payment");
    assert_eq!(payment.variables.get("payment_gateway_url"), Some(""));
    let viewpage = app.component("viewpage").expect("a view");
    assert_eq!(viewpage.policy.events, EventDelivery::EachHost);
    assert_eq!(
        app.redis_triggers
            .iter()
            .filter(|trigger| trigger.component == "viewpage")
            .count(),
        3
    );
    let route = |path| {
        app.routes
            .route(path)
            .map(|found| found.route.handler.to_string())
    };
    assert_eq!(route("/cars/1").as_deref(), Some("component `car`"));
    assert_eq!(
        route("/internal/sweep").as_deref(),
        Some("component `frontend`")
    );
}

#[test]
fn a_variable_with_a_gateway_allows_its_origin() {
    let overrides = Overrides {
        variables: vec!["payment_gateway_url=http://127.0.0.1:9000/payments".to_owned()],
        ..Overrides::default()
    };
    let app = ours(&overrides);
    let payment = app.component("payment").expect("a payment");
    assert!(
        payment
            .allowed_outbound_hosts
            .allows_url("http://127.0.0.1:9000/payments", "http")
    );
}

#[test]
fn a_selection_keeps_the_triggers_of_its_components() {
    let overrides = Overrides {
        components: vec!["reservation".to_owned()],
        ..Overrides::default()
    };
    let app = ours(&overrides);
    assert_eq!(app.components.len(), 1);
    assert!(app.routes.route("/reservations").is_some());
    assert!(app.routes.route("/cars").is_none());
    assert!(
        app.redis_triggers
            .iter()
            .all(|trigger| trigger.component == "reservation")
    );
}

#[test]
fn keys_that_only_spin_needs_are_accepted() {
    let app = app(concat!(
        "targets = [\"spin-up:4.1\"]\nai_models = []\ndependencies = {}\n",
        "environment = { GREETING = \"{{ not a template }}\" }\n",
        "profile.debug.source = \"debug.wasm\"\ntool.other = { anything = 1 }\n",
        "build = { command = [\"a\", \"b\"], workdir = \"src\", watch = [\"**\"] }\n",
        "[application.tool.deploy]\nregion = \"somewhere\"\n",
    ));
    let car = app.component("car").expect("a car");
    assert_eq!(car.environment["GREETING"], "{{ not a template }}");
    let build = car.build.as_ref().expect("a build");
    assert_eq!(build.commands, ["a", "b"]);
    assert_eq!(build.workdir, app.root.join("src"));
}

#[test]
fn a_component_selects_event_types() {
    let app = app("tool.socar.event_types = [\"ReservationConfirmed\"]\n");
    let types = app
        .component("car")
        .expect("a car")
        .policy
        .event_types
        .clone();
    let expected = BTreeSet::from(["ReservationConfirmed".to_owned()]);
    assert_eq!(types, Some(expected));
}

#[test]
fn a_component_inherits_policies_from_the_application_and_the_defaults() {
    let app = app(concat!(
        "[component.car.tool.socar]\ndeadline = \"250ms\"\nsweep = \"1m\"\n",
        "[component.other]\nsource = \"o.wasm\"\n",
        "[application.tool.socar]\ndeadline = \"2s\"\nmemory = \"1GiB\"\nqueue = 0\n",
    ));
    let (car, other) = (
        app.component("car").expect("a car"),
        app.component("other").expect("another"),
    );
    assert_eq!(
        (car.policy.deadline, other.policy.deadline),
        (Duration::from_millis(250), Duration::from_secs(2))
    );
    assert_eq!((car.policy.memory, other.policy.memory), (1 << 30, 1 << 30));
    assert_eq!(
        (car.policy.sweep, other.policy.sweep),
        (Some(Duration::from_secs(60)), None)
    );
    assert_eq!((car.policy.queue, car.policy.concurrency), (0, 64));
}

#[test]
fn an_application_names_its_priorities() {
    let level = |level| Priority::from_level(level).expect("a level");
    let app = app(concat!(
        "[component.car.tool.socar]\npriority = { POST = \"paying\" }\n",
        "[component.other]\nsource = \"o.wasm\"\n",
        "[component.other.tool.socar]\nsweep_priority = \"browsing\"\n",
        "[application.tool.socar]\n",
        "priorities = [\"browsing\", \"paying\"]\nsweep_priority = \"paying\"\n",
    ));
    let policy = |id| &app.component(id).expect("a component").policy;
    let (car, other) = (policy("car"), policy("other"));
    assert_eq!(car.link.priority.of(&Method::POST), level(1));
    assert_eq!(car.link.priority.of(&Method::GET), level(0));
    assert_eq!(other.link.priority.of(&Method::POST), level(0));
    assert_eq!(
        (car.sweep_priority, other.sweep_priority),
        (level(1), level(0))
    );
    let names: Vec<_> = other.link.priority_names.iter().collect();
    assert_eq!(names, ["browsing", "paying"]);
}

#[test]
fn sweeps_and_events_have_the_highest_priority() {
    let app = app("[application.tool.socar]\npriorities = [\"browsing\", \"paying\"]\n");
    let policy = &app.component("car").expect("a component").policy;
    assert_eq!(Some(policy.sweep_priority), Priority::from_level(1));
}

#[test]
fn an_application_without_names_has_three_levels() {
    let app = app("tool.socar.priority = \"high\"\n");
    let policy = &app.component("car").expect("a car").policy;
    let high = policy.link.priority.of(&Method::GET);
    assert_eq!(
        (Some(high), policy.sweep_priority),
        (Priority::from_level(2), high)
    );
}

#[test]
fn dead_letters_are_redriven_after_an_hour_or_as_written() {
    let redrive = |policy: &str| app(&format!("[application.tool.socar]\n{policy}\n")).redrive;
    assert_eq!(redrive(""), Some(Duration::from_secs(3600)));
    assert_eq!(
        redrive("redrive = \"2d\""),
        Some(Duration::from_secs(2 * 24 * 3600))
    );
    assert_eq!(redrive("redrive = \"never\""), None);
}

#[test]
fn a_retention_is_a_number_with_a_unit() {
    let retention = |written: &str| {
        app(&format!(
            "[application.tool.socar]\nretention = \"{written}\"\n"
        ))
        .retention
    };
    let hour = Duration::from_secs(3600);
    assert_eq!(retention("7d"), Some(7 * 24 * hour));
    assert_eq!(retention("36h"), Some(36 * hour));
    assert_eq!(retention("1s"), Some(Duration::from_secs(1)));
}

#[test]
fn a_component_that_is_not_built_is_named_with_the_remedy() {
    let root = tempfile::tempdir().expect("a directory");
    let manifest = root.path().join("spin.toml");
    let check = |more: &str| {
        fs::write(&manifest, format!("{HEAD}{CAR}{more}")).expect("a manifest");
        let app =
            App::load(root.path(), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        app.check_sources().map_err(|error| error.to_string())
    };
    let at = format!(
        "{}:8: `component.car.source` = \"car.wasm\": there is no such file",
        manifest.display()
    );
    let built = "build.command = \"make\"";
    assert_eq!(
        check(built),
        Err(format!("{at}; start with --build to build it"))
    );
    let message = check("").expect_err("missing");
    assert_eq!(
        message,
        format!("{at}; correct the path, or add a build command and start with --build")
    );
    fs::write(root.path().join("car.wasm"), "").expect("a component");
    assert_eq!(check(""), Ok(()));
}

#[test]
fn an_absent_manifest_is_named() {
    let error =
        App::load(Path::new("no/such/spin.toml"), &Overrides::default()).expect_err("no file");
    assert_eq!(
        error.to_string(),
        "no/such/spin.toml: cannot be read (No such file or directory (os error 2)); name the manifest with -f"
    );
}

#[test]
fn an_import_without_a_grant_is_found() {
    let car = |more: &str| app(more).components.remove(0);
    let message = |more: &str, import: &str| {
        let found = car(more).import_without_grant([
            "wasi:http/types@0.3.0",
            "spin:variables/variables@3.0.0",
            import,
        ]);
        found.map(|error| error.to_string()).unwrap_or_default()
    };
    for (import, expected) in [
        (
            "spin:key-value/key-value@3.0.0",
            r#"spin.toml:7: `component.car.key_value_stores`: the component uses spin:key-value/key-value@3.0.0, and no key-value store is granted to it; add key_value_stores = ["<label>"] with the label that it opens"#,
        ),
        (
            "spin:sqlite/sqlite@3.0.0",
            r#"spin.toml:7: `component.car.sqlite_databases`: the component uses spin:sqlite/sqlite@3.0.0, and no database is granted to it; add sqlite_databases = ["<label>"] with the label that it opens"#,
        ),
        (
            "spin:redis/redis@3.0.0",
            r#"spin.toml:7: `component.car.allowed_outbound_hosts`: the component uses spin:redis/redis@3.0.0, and no Redis is granted to it; add the address that it opens to allowed_outbound_hosts, such as "redis://127.0.0.1:6379""#,
        ),
        (
            "wasi:http/client@0.3.0",
            r#"spin.toml:7: `component.car.allowed_outbound_hosts`: the component uses wasi:http/client@0.3.0, and no HTTP host is granted to it; add the hosts that it calls to allowed_outbound_hosts, such as "https://example.com""#,
        ),
    ] {
        assert_eq!(message("", import), expected);
    }
    let granted = "key_value_stores = [\"a\"]\nsqlite_databases = [\"a\"]\n";
    assert_eq!(message(granted, "wasi:keyvalue/atomics@0.2.0-draft2"), "");
    assert_eq!(message(granted, "spin:sqlite/sqlite@3.0.0"), "");
    let redis = "allowed_outbound_hosts = [\"redis://h\"]";
    assert_eq!(message(redis, "spin:redis/redis@3.0.0"), "");
    assert_ne!(message(redis, "wasi:http/client@0.3.0"), "");
    let ours = ours(&Overrides::default());
    let payment = ours.component("payment").expect("a payment");
    assert_eq!(
        payment.import_without_grant(["wasi:http/client@0.3.0"]),
        None,
        "the gateway is optional"
    );
}
