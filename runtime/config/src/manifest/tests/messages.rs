//! The exact error of every invalid manifest: the file, the line, the key, the value, the problem and the remedy.

use std::fmt::Write;

use super::{CAR, HEAD, load_with};
use crate::manifest::Overrides;

mod changes;
mod components;
mod links;
mod triggers;
mod variables;

fn rejection(text: &str) -> String {
    match load_with(text, &Overrides::default()) {
        Ok(app) => panic!("accepted: {app:?}"),
        Err(error) => error.to_string(),
    }
}

/// Checks the error of each text. The text of [`in_car`] begins on line 9, inside of `[component.car]`.
fn check(table: &[(&str, &str)], text: impl Fn(&str) -> String) {
    let mut wrong = String::new();
    for (written, expected) in table {
        let actual = rejection(&text(written));
        if actual != *expected {
            let _ = writeln!(
                wrong,
                "{written}\n  expected {expected}\n  actual   {actual}"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn an_incomplete_or_malformed_manifest_is_rejected() {
    check(
        &[
            (
                "",
                r#"spin.toml: `spin_manifest_version`: this key is missing; start the file with spin_manifest_version = 2"#,
            ),
            (
                "spin_manifest_version = 1",
                r#"spin.toml:1: `spin_manifest_version` = 1: socar supports version 2 only; start the file with spin_manifest_version = 2"#,
            ),
            (
                "spin_manifest_version = \"2\"",
                r#"spin.toml:1: `spin_manifest_version` = "2": expected a whole number, found a string; write it without quotes or unit"#,
            ),
            (
                "spin_manifest_version = 2\n[application",
                r#"spin.toml:2: `[application`: not valid TOML (unclosed table, expected `]`); correct this line"#,
            ),
            (
                "spin_manifest_version = 2\nx = 1\nx = 2",
                r#"spin.toml:3: `x = …`: not valid TOML (duplicate key); correct this line"#,
            ),
            (
                "spin_manifest_version = 2",
                r#"spin.toml: `application`: this key is missing; add [application] with a name"#,
            ),
            (
                "spin_manifest_version = 2\n[application]\nversion = \"1\"",
                r#"spin.toml:2: `application.name`: this key is missing; add name = "…" to [application]"#,
            ),
            (
                "spin_manifest_version = 2\napplication.name = 5",
                r#"spin.toml:2: `application.name` = 5: expected a string, found a whole number; put it in quotes"#,
            ),
            (
                "spin_manifest_version = 2\napplication.name = \"shop\"",
                r#"spin.toml: `trigger`: this key is missing; add a [[trigger.http]] or a [[trigger.redis]]"#,
            ),
        ],
        str::to_owned,
    );
}

#[test]
fn an_unknown_key_at_any_level_is_rejected() {
    check(
        &[
            (
                "[componant.car]\nsource = \"car.wasm\"",
                r#"spin.toml:3: `componant` = { car = { source = "car.wasm" } }: unknown key; did you mean `component`?"#,
            ),
            (
                "[application]\nversoin = \"1\"",
                r#"spin.toml:4: `application.versoin` = "1": unknown key; did you mean `version`?"#,
            ),
            (
                "[variables]\nlimit = { defualt = \"1\" }",
                r#"spin.toml:4: `variables.limit.defualt` = "1": unknown key; did you mean `default`?"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/\"\ncomponet = \"car\"",
                r#"spin.toml:5: `trigger.http[0].componet` = "car": unknown key; did you mean `component`?"#,
            ),
            (
                "[[trigger.htttp]]\nroute = \"/\"\ncomponent = \"car\"",
                r#"spin.toml:3: `trigger.htttp`: socar has no `htttp` trigger; did you mean `http`?"#,
            ),
            (
                "[[trigger.cron]]\ncomponent = \"car\"",
                r#"spin.toml:3: `trigger.cron`: socar has no `cron` trigger; known here: `http`, `redis`"#,
            ),
            (
                "[application.trigger.redis]\naddress = \"redis://h\"\nport = 6379",
                r#"spin.toml:5: `application.trigger.redis.port` = 6379: unknown key; known here: `address`"#,
            ),
        ],
        |more| {
            format!(
                "spin_manifest_version = 2\n{}{more}{CAR}",
                if more.contains("[application]") {
                    ""
                } else {
                    "application.name = \"shop\"\n"
                }
            )
            .replace("[application]\n", "[application]\nname = \"shop\"\n")
        },
    );
    check(
        &[
            (
                "key_value_store = [\"car\"]",
                r#"spin.toml:9: `component.car.key_value_store` = ["car"]: unknown key; did you mean `key_value_stores`?"#,
            ),
            (
                "colour = \"red\"",
                r#"spin.toml:9: `component.car.colour` = "red": unknown key; known here: `targets`, `profile`, `description`, `source`, `variables`, `environment`, `files`, `exclude_files`, `allowed_outbound_hosts`, `key_value_stores`, `sqlite_databases`, `dependencies_inherit_configuration`, `dependencies`, `build`, `tool`"#,
            ),
            (
                "[component.car.build]\ncomand = \"make\"",
                r#"spin.toml:10: `component.car.build.comand` = "make": unknown key; did you mean `command`?"#,
            ),
            (
                "[component.car.tool.socar]\ndeadlin = \"5s\"",
                r#"spin.toml:10: `component.car.tool.socar.deadlin` = "5s": unknown key; did you mean `deadline`?"#,
            ),
            (
                "[application.tool.socar.listener]\nconnections = 0",
                r#"spin.toml:10: `application.tool.socar.listener.connections` = 0: out of bounds; write a number from 1 to 100000"#,
            ),
            (
                "[application.tool.socar]\nbody = \"128MiB\"",
                r#"spin.toml:10: `application.tool.socar.body` = "128MiB": larger than the limit of all request bodies together (64MiB); write less, or raise `application.tool.socar.listener.bodies`"#,
            ),
            (
                "[application.tool.socar.listener]\nidel = \"60s\"",
                r#"spin.toml:10: `application.tool.socar.listener.idel` = "60s": unknown key; did you mean `idle`?"#,
            ),
            (
                "[application.tool.socar]\nsweep = \"5s\"",
                r#"spin.toml:10: `application.tool.socar.sweep` = "5s": only a component has a sweep; move it to the [component.<id>.tool.socar] of each component that answers POST /internal/sweep"#,
            ),
        ],
        in_car,
    );
}

pub(super) fn in_car(more: &str) -> String {
    format!("{HEAD}{CAR}{more}\n")
}
