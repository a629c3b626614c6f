//! Errors in `[component.<id>]`.

use super::{HEAD, check, in_car, load_with};
use crate::manifest::Overrides;

#[test]
fn an_invalid_key_of_a_component_is_rejected() {
    check(
        &[(
            "source = 5",
            r#"spin.toml:4: `component.car.source` = 5: expected a string, found a whole number; put it in quotes"#,
        )],
        |more| format!("{HEAD}[component.car]\n{more}\n[trigger]"),
    );
    check(
        &[
            (
                "key_value_stores = \"car\"",
                r#"spin.toml:9: `component.car.key_value_stores` = "car": expected a list, found a string; put it in square brackets"#,
            ),
            (
                "key_value_stores = [\"car\", 5]",
                r#"spin.toml:9: `component.car.key_value_stores[1]` = 5: expected a string, found a whole number; put it in quotes"#,
            ),
            (
                "key_value_stores = [\"Car Store\"]",
                r#"spin.toml:9: `component.car.key_value_stores[0]` = "Car Store": ` ` is neither a letter nor a digit; labels are kebab-case or snake_case, such as `car-outbox` or `car_outbox`"#,
            ),
            (
                "sqlite_databases = [\"view__page\"]",
                r#"spin.toml:9: `component.car.sqlite_databases[0]` = "view__page": a word around `_` is empty; labels are kebab-case or snake_case, such as `car-outbox` or `car_outbox`"#,
            ),
            (
                "variables = { Limit = \"1\" }",
                r#"spin.toml:9: `component.car.variables.Limit`: the name has capital letters; variable names are lower_snake_case, such as `payment_limit`"#,
            ),
            (
                "variables = { limit = 1 }",
                r#"spin.toml:9: `component.car.variables.limit` = 1: expected a string, found a whole number; put it in quotes"#,
            ),
            (
                "[component.Car_2]\nsource = \"a.wasm\"",
                r#"spin.toml:9: `component.Car_2`: `_` is neither a letter nor a digit; component ids are kebab-case, such as `my-component`"#,
            ),
            (
                "[component.other]\ndescription = \"no source\"",
                r#"spin.toml:9: `component.other.source`: this key is missing; add source = "….wasm""#,
            ),
            (
                "[component.other]\nsource = { url = \"https://example.com/a.wasm\", digest = \"sha256:0\" }",
                r#"spin.toml:10: `component.other.source` = { url = "https://example.com/a.wasm", digest = "sha256:0" }: socar runs local files only; download the component and write its path"#,
            ),
            (
                "ai_models = [\"llama2-chat\"]",
                r#"spin.toml:9: `component.car.ai_models` = ["llama2-chat"]: socar does not support AI models; remove it, or run the component on stock Spin"#,
            ),
            (
                "tool.socar.event_types = []",
                r#"spin.toml:9: `component.car.tool.socar.event_types` = []: no event is delivered to the component; list the event types that it consumes, or remove the key and its [[trigger.redis]]"#,
            ),
            (
                "tool.socar.publishes = [\"socar.car\", \"socar.platform\"]",
                r#"spin.toml:9: `component.car.tool.socar.publishes[1]` = "socar.platform": a component cannot append to this stream; name a stream of the component; those of the host are the host's alone"#,
            ),
            (
                "key_value_stores = [\"cars\"]\ntool.socar.publishes = [\"cars:1\"]",
                r#"spin.toml:10: `component.car.tool.socar.publishes[0]` = "cars:1": this name is a key of the key-value store `cars`; give the stream another name"#,
            ),
            (
                "key_value_stores = [\"cars\"]\ntool.socar.redis_keys = [\"counters:\", \"car\"]",
                r#"spin.toml:10: `component.car.tool.socar.redis_keys[1]` = "car": these keys include those that begin with `cars:`, which belong to the platform; write a prefix that no other key has, such as `counters:`"#,
            ),
            (
                "tool.socar.redis_keys = [\"\"]",
                r#"spin.toml:9: `component.car.tool.socar.redis_keys[0]` = "": these keys include those that begin with `socar.`, which belong to the platform; write a prefix that no other key has, such as `counters:`"#,
            ),
            (
                "dependencies = { \"a:b\" = \"1\" }",
                r#"spin.toml:9: `component.car.dependencies.a:b` = "1": socar reads no registry; declare its file as a [component.<id>] and write { component = "<id>" }"#,
            ),
            (
                "dependencies = { \"a:b\" = { path = \"b.wasm\" } }",
                r#"spin.toml:9: `component.car.dependencies.a:b.path` = "b.wasm": socar runs components of the manifest only; declare its file as a [component.<id>] and write { component = "<id>" }"#,
            ),
            (
                "dependencies = { b = { component = \"b\" } }",
                r#"spin.toml:9: `component.car.dependencies.b`: not the name of an interface or a package; write it as "namespace:package/interface@1.0.0" or "namespace:package""#,
            ),
            (
                "dependencies = { \"a:b\" = { component = \"care\" } }",
                r#"spin.toml:9: `component.car.dependencies.a:b.component` = "care": there is no such other component; declare it as a [component.<id>]"#,
            ),
            (
                "dependencies = { \"a:b\" = { component = \"b\", inherit_configuration = [\"variable\"] } }",
                r#"spin.toml:9: `component.car.dependencies.a:b.inherit_configuration[0]` = "variable": no key that a dependency inherits; did you mean `variables`?"#,
            ),
            (
                "dependencies = { \"a:b\" = { component = \"b\" } }\n[component.b]\nsource = \"b.wasm\"\nkey_value_stores = [\"b\"]",
                r#"spin.toml:9: `component.car.dependencies.a:b.component` = "b": component `b` has its own `key_value_stores`, and a dependency has only what it inherits; remove `key_value_stores` from it, and list the key in inherit_configuration"#,
            ),
            (
                "tool.socar.imports = { \"a:b/c\" = \"care\" }",
                r#"spin.toml:9: `component.car.tool.socar.imports.a:b/c` = "care": there is no such component; did you mean `car`?"#,
            ),
            (
                "tool.socar.imports = { c = \"car\" }",
                r#"spin.toml:9: `component.car.tool.socar.imports.c`: not the name of an interface; write it as "namespace:package/interface", as the component imports it"#,
            ),
            (
                "files = [\"assets/[\"]",
                r#"spin.toml:9: `component.car.files[0]` = "assets/[": not a pattern (invalid range pattern); write one such as `assets/**/*`"#,
            ),
            (
                "files = [{ source = \"../secrets\", destination = \"/\" }]",
                r#"spin.toml:9: `component.car.files[0].source` = "../secrets": it leads out of the application; name files below the directory of the manifest"#,
            ),
            (
                "files = [{ source = \"assets\", destination = \"assets\" }]",
                r#"spin.toml:9: `component.car.files[0].destination` = "assets": not an absolute path in the component; start it with `/` and leave out `..`"#,
            ),
            (
                "build = { command = \"make\", workdir = \"/tmp\" }",
                r#"spin.toml:9: `component.car.build.workdir` = "/tmp": not a relative path; write it relative to the manifest"#,
            ),
            (
                "build = { workdir = \"car\" }",
                r#"spin.toml:9: `component.car.build.command`: this key is missing; add command = "…""#,
            ),
        ],
        in_car,
    );
}

#[test]
fn an_invalid_policy_is_rejected() {
    check(
        &[
            (
                "deadline = 5",
                r#"spin.toml:10: `component.car.tool.socar.deadline` = 5: not a duration; write a number with a unit, such as "5s" (units: ms, s, m, h, d)"#,
            ),
            (
                "deadline = \"5\"",
                r#"spin.toml:10: `component.car.tool.socar.deadline` = "5": not a duration; write a number with a unit, such as "5s" (units: ms, s, m, h, d)"#,
            ),
            (
                "deadline = \"five seconds\"",
                r#"spin.toml:10: `component.car.tool.socar.deadline` = "five seconds": not a duration; write a number with a unit, such as "5s" (units: ms, s, m, h, d)"#,
            ),
            (
                "deadline = \"2h\"",
                r#"spin.toml:10: `component.car.tool.socar.deadline` = "2h": out of bounds; write a duration from 1ms to 10m"#,
            ),
            (
                "deadline = \"0s\"",
                r#"spin.toml:10: `component.car.tool.socar.deadline` = "0s": out of bounds; write a duration from 1ms to 10m"#,
            ),
            (
                "memory = \"64\"",
                r#"spin.toml:10: `component.car.tool.socar.memory` = "64": not a size; write a whole number with a unit, such as "64MiB" (units: KiB, MiB, GiB, kB, MB, GB)"#,
            ),
            (
                "memory = \"1KiB\"",
                r#"spin.toml:10: `component.car.tool.socar.memory` = "1KiB": out of bounds; write a size from 64KiB to 4096MiB"#,
            ),
            (
                "memory = \"99999999999GiB\"",
                r#"spin.toml:10: `component.car.tool.socar.memory` = "99999999999GiB": out of bounds; write a size from 64KiB to 4096MiB"#,
            ),
            (
                "concurrency = 0",
                r#"spin.toml:10: `component.car.tool.socar.concurrency` = 0: out of bounds; write a number from 1 to 10000"#,
            ),
            (
                "concurrency = \"64\"",
                r#"spin.toml:10: `component.car.tool.socar.concurrency` = "64": expected a whole number, found a string; write it without quotes or unit"#,
            ),
            (
                "queue = -1",
                r#"spin.toml:10: `component.car.tool.socar.queue` = -1: out of bounds; write a number from 0 to 100000"#,
            ),
            (
                "sweep_priority = \"urgent\"",
                r#"spin.toml:10: `component.car.tool.socar.sweep_priority` = "urgent": there is no such priority; known here: `low`, `normal`, `high`"#,
            ),
            (
                "priorities = [\"low\", \"high\"]",
                r#"spin.toml:10: `component.car.tool.socar.priorities` = ["low", "high"]: only the application names its priorities; move it to [application.tool.socar]"#,
            ),
            (
                "events = \"each_host\"",
                r#"spin.toml:10: `component.car.tool.socar.events` = "each_host": there is no such delivery; did you mean `each-host`?"#,
            ),
            (
                "events = \"all\"",
                r#"spin.toml:10: `component.car.tool.socar.events` = "all": there is no such delivery; known here: `shared`, `each-host`"#,
            ),
        ],
        |more| in_car(&format!("[component.car.tool.socar]\n{more}")),
    );
}

#[test]
fn an_invalid_retention_is_rejected() {
    check(
        &[
            (
                "7",
                r#"spin.toml:10: `application.tool.socar.retention` = "7": not a duration; write a number with a unit, such as "5s" (units: ms, s, m, h, d)"#,
            ),
            (
                "-1d",
                r#"spin.toml:10: `application.tool.socar.retention` = "-1d": not a duration; write a number with a unit, such as "5s" (units: ms, s, m, h, d)"#,
            ),
            (
                "0d",
                r#"spin.toml:10: `application.tool.socar.retention` = "0d": out of bounds; write a duration from 1s to 100years"#,
            ),
        ],
        |retention| {
            in_car(&format!(
                "[application.tool.socar]\nretention = \"{retention}\""
            ))
        },
    );
}

#[test]
fn an_invalid_host_is_rejected() {
    check(
        &[
            (
                "example.com",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "example.com": it has no scheme; write scheme://host[:port], such as `https://example.com`"#,
            ),
            (
                "*",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "*": it has no scheme; write scheme://host[:port], such as `https://example.com`"#,
            ),
            (
                "http://",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://": it has no host; write http://<host>, or http://* for any host"#,
            ),
            (
                "ht!tp://example.com",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "ht!tp://example.com": `ht!tp` is not a scheme; write one such as `http`, `https` or `redis`, or `*` for any"#,
            ),
            (
                "http://example.com/path",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://example.com/path": it has a path; name the host alone: `http://example.com`"#,
            ),
            (
                "http://example.com:80/path",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://example.com:80/path": it has a path; name the host and port alone"#,
            ),
            (
                "http://example.com:port",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://example.com:port": `port` is not a port; write a number, a range such as `8000..8010`, or `*`"#,
            ),
            (
                "http://example.com:99999",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://example.com:99999": `99999` is not a port; write a number, a range such as `8000..8010`, or `*`"#,
            ),
            (
                "http://example.com:8010..8000",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://example.com:8010..8000": `8010..8000` is not a port; write a number, a range such as `8000..8010`, or `*`"#,
            ),
            (
                "ftp://example.com",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "ftp://example.com": it has no port, and `ftp` has no default one; write the port, such as `ftp://example.com:8080`, or `*` for any"#,
            ),
            (
                "http://ex*mple.com",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://ex*mple.com": a wildcard is only allowed at the start of the host; use `*` alone or first, as in `*.example.com`"#,
            ),
            (
                "http://10.0.0.0/33",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://10.0.0.0/33": `33` is not a number of bits; write the CIDR block as 10.0.0.0/<0 to 32>"#,
            ),
            (
                "http://exa mple.com",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://exa mple.com": `exa mple.com` is not a host name; write a domain name (punycode for other letters), an IP address or a CIDR block"#,
            ),
            (
                "http://::1",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://::1": an IPv6 address must be in brackets; write [::1], or [::1]:8080 with a port"#,
            ),
            (
                "http://2001:db8::7:8080",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://2001:db8::7:8080": an IPv6 address must be in brackets; write [::1], or [::1]:8080 with a port"#,
            ),
            (
                "http://127.1:23900",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://127.1:23900": `127.1` is not a host name; write a domain name (punycode for other letters), an IP address or a CIDR block"#,
            ),
            (
                "http://cra.spin.internal",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "http://cra.spin.internal": there is no component `cra`; did you mean `car`?"#,
            ),
            (
                "{{ car_url",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "{{ car_url": `{{` is never closed; write `{{ name }}` with the name of a variable in [variables]"#,
            ),
            (
                "{{ car_url }}",
                r#"spin.toml:10: `component.car.allowed_outbound_hosts[0]` = "{{ car_url }}": there is no variable `car_url` in [variables]; declare it there"#,
            ),
        ],
        |host| in_car(&format!("allowed_outbound_hosts = [\n  \"{host}\",\n]")),
    );
}

#[test]
fn a_host_that_stock_spin_rejects_is_rejected() {
    let redis = "[application.trigger.redis]\naddress = \"redis://h:6379\"\n[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"car\"";
    check(
        &[
            (
                "http://car.spin.internal",
                r#"spin.toml:9: `component.car.allowed_outbound_hosts[0]` = "http://car.spin.internal": stock Spin does not start a Redis-triggered component that names a component's host; list "{{ car_url }}" and give that variable the default "http://car.spin.internal""#,
            ),
            (
                "http://*.spin.internal",
                r#"spin.toml:9: `component.car.allowed_outbound_hosts[0]` = "http://*.spin.internal": stock Spin does not start a Redis-triggered component that names a component's host; list "{{ other_url }}" and give that variable the default "http://<id>.spin.internal""#,
            ),
        ],
        |host| in_car(&format!("allowed_outbound_hosts = [\"{host}\"]\n{redis}")),
    );
}

#[test]
fn a_variable_with_an_address_that_is_not_allowed_is_rejected() {
    check(
        &[
            (
                "variables = { log = \"redis://127.0.0.1:6379\" }",
                r#"spin.toml:9: `component.car.variables.log` = "redis://127.0.0.1:6379": the component may not connect there; add "redis://127.0.0.1:6379" to its allowed_outbound_hosts"#,
            ),
            (
                "allowed_outbound_hosts = [\"redis://127.0.0.1:6380\"]\nvariables = { log = \"{{ log }}\" }\n[variables]\nlog = { default = \"redis://127.0.0.1:6379\" }",
                r#"spin.toml:10: `component.car.variables.log` = "{{ log }}": it resolves to "redis://127.0.0.1:6379", and the component may not connect there; add "{{ log }}" to its allowed_outbound_hosts"#,
            ),
            (
                "variables = { car_url = \"http://car.spin.internal/\" }",
                r#"spin.toml:9: `component.car.variables.car_url` = "http://car.spin.internal/": the component may not connect there; add "http://car.spin.internal/" to its allowed_outbound_hosts"#,
            ),
        ],
        in_car,
    );
}

#[test]
fn an_event_type_that_one_component_misspells_is_rejected() {
    let text = |types: &str| {
        in_car(&format!(
            "tool.socar.event_types = [\"PaymentApproved\", \"ReservationConfirmed\"]\n[component.payment]\nsource = \"p.wasm\"\ntool.socar.event_types = [{types}]\n[component.view]\nsource = \"v.wasm\"\ntool.socar.event_types = [\"PaymentApproved\", \"ReservationConfirmed\"]"
        ))
    };
    let error = load_with(&text("\"ReservationConfirmd\""), &Overrides::default());
    assert_eq!(
        error.expect_err("an error").to_string(),
        r#"spin.toml:10: `component.payment.tool.socar.event_types` = "ReservationConfirmd": no other component names this event type; component `car` names `ReservationConfirmed`: correct the one that is misspelt"#
    );
    // Nothing in a manifest tells that these are wrong: no other component names a similar type.
    for unknown in ["\"ReservationCancelRequestd\"", "\"Confirmed\""] {
        assert!(load_with(&text(unknown), &Overrides::default()).is_ok());
    }
}
