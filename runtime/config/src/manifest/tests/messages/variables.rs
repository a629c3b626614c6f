//! Errors in `[variables]`, in templates and on the command line.

use super::{check, in_car, load_with};
use crate::manifest::{Environment, Overrides};

#[test]
fn an_invalid_variable_or_template_is_rejected() {
    check(
        &[
            (
                "limit = {}",
                r#"spin.toml:10: `variables.limit`: the variable is neither required nor has it a default; add default = "…" or required = true"#,
            ),
            (
                "limit = { required = true, default = \"1\" }",
                r#"spin.toml:10: `variables.limit.default` = "1": a required variable has no default; remove `default`, or `required`"#,
            ),
            (
                "limit = { default = 1000000 }",
                r#"spin.toml:10: `variables.limit.default` = 1000000: expected a string, found a whole number; put it in quotes"#,
            ),
            (
                "limit = { required = true }",
                r#"spin.toml:10: `variables.limit`: this variable is required and has no value; start with --variable limit=… or set SPIN_VARIABLE_LIMIT"#,
            ),
            (
                "limit = \"1\"",
                r#"spin.toml:10: `variables.limit` = "1": expected a table, found a string; write [variables.limit] and its keys below"#,
            ),
            (
                "Limit = { default = \"1\" }",
                r#"spin.toml:10: `variables.Limit`: the name has capital letters; variable names are lower_snake_case, such as `payment_limit`"#,
            ),
            (
                "pay-limit = { default = \"1\" }",
                r#"spin.toml:10: `variables.pay-limit`: `-` is neither a letter nor a digit; variable names are lower_snake_case, such as `payment_limit`"#,
            ),
        ],
        |declared| in_car(&format!("[variables]\n{declared}")),
    );
    check(
        &[
            (
                "{{ limt }}",
                r#"spin.toml:9: `component.car.variables.limit` = "{{ limt }}": there is no variable `limt` in [variables]; did you mean `limit`?"#,
            ),
            (
                "{{ limit",
                r#"spin.toml:9: `component.car.variables.limit` = "{{ limit": `{{` is never closed; write `{{ name }}` with the name of a variable in [variables]"#,
            ),
            (
                "{{ }}",
                r#"spin.toml:9: `component.car.variables.limit` = "{{ }}": there is no name between `{{` and `}}`; write `{{ name }}` with the name of a variable in [variables]"#,
            ),
            (
                "{{ something_else }}",
                r#"spin.toml:9: `component.car.variables.limit` = "{{ something_else }}": there is no variable `something_else` in [variables]; known here: `limit`"#,
            ),
        ],
        |value| {
            in_car(&format!(
                "variables = {{ limit = \"{value}\" }}\n[variables]\nlimit = {{ default = \"1\" }}"
            ))
        },
    );
    check(
        &[(
            "not an address",
            r#"spin.toml:9: `component.car.allowed_outbound_hosts[0]` = "{{ url }}": it resolves to "not an address": it has no scheme; write scheme://host[:port], such as `https://example.com`"#,
        )],
        |value| {
            in_car(&format!(
                "allowed_outbound_hosts = [\"{{{{ url }}}}\"]\n[variables]\nurl = {{ default = \"{value}\" }}"
            ))
        },
    );
    check(
        &[(
            "not an address",
            r#"spin.toml:9: `component.car.allowed_outbound_hosts[0]` = "{{ url }}": it resolves to a secret: it has no scheme; write scheme://host[:port], such as `https://example.com`"#,
        )],
        |value| {
            in_car(&format!(
                "allowed_outbound_hosts = [\"{{{{ url }}}}\"]\n[variables]\nurl = {{ default = \"{value}\", secret = true }}"
            ))
        },
    );
}

#[test]
fn an_invalid_argument_is_rejected() {
    let variable = |argument: &str| Overrides {
        variables: vec![argument.to_owned()],
        ..Overrides::default()
    };
    let text = in_car("[variables]\nlimit = { default = \"1\" }");
    for (overrides, expected) in [
        (
            variable("limt=2"),
            r#"--variable: `limt`: spin.toml declares no such variable; did you mean `limit`?"#,
        ),
        (
            variable("colour=red"),
            r#"--variable: `colour`: spin.toml declares no such variable; known here: `limit`"#,
        ),
        (
            variable("limit"),
            r#"--variable: there is no `=` in argument 1; write name=value, name=@file, @file.json or @file.toml"#,
        ),
        (
            variable("limit=@missing"),
            r#"--variable: "@missing": the file cannot be read (No such file or directory (os error 2)); name a file that exists"#,
        ),
        (
            variable("@missing.toml"),
            "missing.toml: cannot be read (No such file or directory (os error 2)); name a file that exists after --variable @",
        ),
        (
            selecting("cra"),
            r#"--component-id: "cra": there is no such component; did you mean `car`?"#,
        ),
    ] {
        let error = load_with(&text, &overrides).expect_err("an error");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn an_undeclared_variable_of_the_environment_is_ignored() {
    let environment = Environment::from([("SPIN_VARIABLE_ANYTHING", "of another program")]);
    let overrides = Overrides {
        environment,
        ..Overrides::default()
    };
    assert!(load_with(&in_car(""), &overrides).is_ok());
}

#[test]
fn a_selected_component_needs_the_components_that_it_calls() {
    let payment = "[component.payment]\nsource = \"payment.wasm\"";
    for (host, expected) in [
        (
            "http://payment.spin.internal",
            r#"spin.toml:9: `component.car.allowed_outbound_hosts[0]` = "http://payment.spin.internal": component `car` needs component `payment`, which is not selected; add -c payment, or list a variable with the address where it runs"#,
        ),
        (
            "http://*.spin.internal",
            r#"spin.toml:9: `component.car.allowed_outbound_hosts[0]` = "http://*.spin.internal": component `car` needs component `payment`, which is not selected; add -c payment, or list a variable with the address where it runs"#,
        ),
    ] {
        let text = in_car(&format!("allowed_outbound_hosts = [\"{host}\"]\n{payment}"));
        let error = load_with(&text, &selecting("car")).expect_err("an error");
        assert_eq!(error.to_string(), expected);
        assert!(load_with(&text, &selecting("payment")).is_ok());
    }
}

fn selecting(component: &str) -> Overrides {
    Overrides {
        components: vec![component.to_owned()],
        ..Overrides::default()
    }
}

#[test]
fn no_message_contains_a_secret() {
    let secret = "[variables]\ntoken = { default = \"\", secret = true }\naddress = { default = \"redis://h\" }";
    let arguments = [
        ("tokn=hunter2", secret),
        ("hunter2", secret),
        ("token:hunter2", secret),
        (
            "address=u:hunter2@nowhere",
            "[application.trigger.redis]\naddress = \"{{ address }}\"\n[variables]\naddress = { default = \"\" }",
        ),
        (
            "address=redis:/u:hunter2@nowhere",
            "[application.trigger.redis]\naddress = \"{{ address }}\"\n[variables]\naddress = { default = \"\" }",
        ),
        (
            "token=hunter2 ",
            "[application.tool.socar.variables]\ntoken = \"header-value\"\n[variables]\ntoken = { default = \"\", secret = true }",
        ),
    ];
    for (argument, text) in arguments {
        let overrides = Overrides {
            variables: vec![argument.to_owned()],
            ..Overrides::default()
        };
        let error = load_with(&in_car(text), &overrides)
            .expect_err(argument)
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    for text in [
        "[variables]\ntoken = { default = \"hunter2\", secret = true, x = 1 }",
        "[variables]\ntoken = { default = \"hunter2\", secret = true, required = true }",
        "[variables]\ntoken = { default = 1, secret = true, dfault = \"hunter2\" }",
        "environment = { API_TOKEN = [\"hunter2\"] }",
        "allowed_outbound_hosts = [\"http://u:hunter2@a b\"]",
        "variables = { url = \"redis://u:hunter2@h\" }",
        "password = \"hunter2\"",
        "token = \"hunter2",
        "hunter2",
        "url = { secret = \"hunter2\" }",
    ] {
        let error = load_with(&in_car(text), &Overrides::default())
            .expect_err(text)
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_value_that_its_users_cannot_use_stops_the_start() {
    let text = in_car(
        "[application.tool.socar.variables]\nlimit = \"number\"\n[variables]\nlimit = { default = \"1\" }",
    );
    let with = |value: &str| Overrides {
        variables: vec![format!("limit={value}")],
        ..Overrides::default()
    };
    assert!(load_with(&text, &with("5000")).is_ok());
    let error = load_with(&text, &with("abc")).expect_err("no number");
    assert_eq!(
        error.to_string(),
        "spin.toml:12: `variables.limit`: the value \"abc\" of this variable is unusable: not a whole number; start with --variable limit=… or set SPIN_VARIABLE_LIMIT, such as 100000"
    );
    let unknown = text.replace("limit = \"number\"", "limti = \"number\"");
    let error = load_with(&unknown, &Overrides::default()).expect_err("unknown");
    assert!(
        error.to_string().contains("did you mean `limit`?"),
        "{error}"
    );
}

#[test]
fn a_kind_may_have_bounds_or_known_values() {
    let text = |kind: &str| {
        in_car(&format!(
            "[application.tool.socar.variables]\nlimit = {kind}\n[variables]\nlimit = {{ default = \"1\" }}"
        ))
    };
    for kind in [
        "{ kind = \"number\" }",
        "{ kind = \"number\", max = 1000 }",
        "{ kind = \"number\", min = 1, max = 1 }",
        "{ values = [\"1\", \"2\"] }",
    ] {
        if let Err(error) = load_with(&text(kind), &Overrides::default()) {
            panic!("{error}");
        }
    }
    check(
        &[
            (
                "{ kind = \"number\", min = 2 }",
                r#"spin.toml:12: `variables.limit`: the value "1" of this variable is unusable: out of bounds; start with --variable limit=… or set SPIN_VARIABLE_LIMIT, a number from 2 to 18446744073709551615"#,
            ),
            (
                "{ kind = \"number\", max = 0 }",
                r#"spin.toml:12: `variables.limit`: the value "1" of this variable is unusable: out of bounds; start with --variable limit=… or set SPIN_VARIABLE_LIMIT, a number from 0 to 0"#,
            ),
            (
                "{ values = [\"on\", \"off\"] }",
                r#"spin.toml:12: `variables.limit`: the value "1" of this variable is unusable: not a known value; start with --variable limit=… or set SPIN_VARIABLE_LIMIT, to `on` or `off`"#,
            ),
            (
                "{ values = [] }",
                r#"spin.toml:10: `application.tool.socar.variables.limit.kind`: this key is missing; write the name of a kind, or the known values as values = ["…"]"#,
            ),
            (
                "{ kind = \"numbr\" }",
                r#"spin.toml:10: `application.tool.socar.variables.limit.kind` = "numbr": unknown kind of value; did you mean `number`?"#,
            ),
            (
                "{ kind = \"number\", min = 2, max = 1 }",
                r#"spin.toml:10: `application.tool.socar.variables.limit.max` = 1: out of bounds; write a number from 2 to 9223372036854775807"#,
            ),
            (
                "{ kind = \"redis-url\", max = 1 }",
                r#"spin.toml:10: `application.tool.socar.variables.limit.max` = 1: unknown key; known here: `values`, `kind`"#,
            ),
        ],
        text,
    );
}

#[test]
fn a_templated_host_that_is_no_host_name_is_named() {
    let text = in_car(
        "allowed_outbound_hosts = [\"{{ url }}\"]\n[variables]\nurl = { default = \"http://127.1:23900/pay\" }",
    );
    let error = load_with(&text, &Overrides::default()).expect_err("an error");
    assert_eq!(
        error.to_string(),
        r#"spin.toml:9: `component.car.allowed_outbound_hosts[0]` = "{{ url }}": it resolves to "http://127.1:23900/pay": `127.1` is not a host name; write a domain name (punycode for other letters), an IP address or a CIDR block"#
    );
}
