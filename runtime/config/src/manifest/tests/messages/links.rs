//! Errors in the policies of links: breakers, retries, fallbacks, priorities and permits.

use super::{check, in_car, rejection};
use crate::manifest::tests::load;

#[test]
fn a_link_to_an_unknown_callee_is_rejected() {
    check(
        &[
            (
                "[application.tool.socar.links.carr]\nconcurrency = 2",
                r#"spin.toml:9: `application.tool.socar.links.carr` = { concurrency = 2 }: no link leads there; did you mean `car`?"#,
            ),
            (
                "[component.car.tool.socar.links.bank]\ndeadline = \"1s\"",
                r#"spin.toml:9: `component.car.tool.socar.links.bank` = { deadline = "1s" }: no link leads there; known here: `car`"#,
            ),
            (
                "[component.car.tool.socar]\nlinks = 5",
                r#"spin.toml:10: `component.car.tool.socar.links` = 5: expected a table, found a whole number; write [component.car.tool.socar.links] and its keys below"#,
            ),
            (
                "[component.car.tool.socar.links.\"https://bank/pay\"]\ndeadline = \"1s\"",
                r#"spin.toml:9: `component.car.tool.socar.links.https://bank/pay` = { deadline = "1s" }: not an external host; write it as "https://host" or "http://host:port", without a path"#,
            ),
        ],
        in_car,
    );
}

#[test]
fn an_invalid_link_policy_is_rejected() {
    check(
        &[
            (
                "concurency = 2",
                r#"spin.toml:10: `application.tool.socar.links.car.concurency` = 2: unknown key; did you mean `concurrency`?"#,
            ),
            (
                "concurrency = 0",
                r#"spin.toml:10: `application.tool.socar.links.car.concurrency` = 0: out of bounds; write a number from 1 to 10000"#,
            ),
            (
                "deadline = 5",
                r#"spin.toml:10: `application.tool.socar.links.car.deadline` = 5: not a duration; write a number with a unit, such as "5s" (units: ms, s, m, h, d)"#,
            ),
            (
                "priority = \"hig\"",
                r#"spin.toml:10: `application.tool.socar.links.car.priority` = "hig": there is no such priority; did you mean `high`?"#,
            ),
            (
                "priority = \"urgent\"",
                r#"spin.toml:10: `application.tool.socar.links.car.priority` = "urgent": there is no such priority; known here: `low`, `normal`, `high`"#,
            ),
            (
                "priority = { post = \"high\" }",
                r#"spin.toml:10: `application.tool.socar.links.car.priority.post` = "high": not an HTTP method; write something like POST"#,
            ),
            (
                "fallback = \"silence\"",
                r#"spin.toml:10: `application.tool.socar.links.car.fallback` = "silence": there is no such fallback; write "problem", { stale = "5m" } or { component = "<id>" }"#,
            ),
            (
                "fallback = { component = \"cars\" }",
                r#"spin.toml:10: `application.tool.socar.links.car.fallback.component` = "cars": there is no such component; did you mean `car`?"#,
            ),
            (
                "fallback = { component = \"car\", stale = \"5m\" }",
                r#"spin.toml:10: `application.tool.socar.links.car.fallback`: a fallback has exactly one key; write "problem", { stale = "5m" } or { component = "<id>" }"#,
            ),
            (
                "fallback = { stale = \"five minutes\" }",
                r#"spin.toml:10: `application.tool.socar.links.car.fallback.stale` = "five minutes": not a duration; write a number with a unit, such as "5s" (units: ms, s, m, h, d)"#,
            ),
        ],
        of_car,
    );
}

#[test]
fn an_invalid_breaker_or_retry_is_rejected() {
    check(
        &[
            (
                "breaker = { failure_rate = 101 }",
                r#"spin.toml:10: `application.tool.socar.links.car.breaker.failure_rate` = 101: out of bounds; write a number from 1 to 100"#,
            ),
            (
                "breaker = { failures = 5 }",
                r#"spin.toml:10: `application.tool.socar.links.car.breaker.failures` = 5: unknown key; known here: `window`, `minimum_calls`, `failure_rate`, `consecutive_failures`, `slow_after`, `slow_rate`, `open_duration`, `max_open_duration`, `open_jitter`, `probes`, `probe_timeout`"#,
            ),
            (
                "breaker = { window = 10, minimum_calls = 20 }",
                r#"spin.toml:10: `application.tool.socar.links.car.breaker.minimum_calls` = 20: does not fit the other keys; it must lie between 1 and 10"#,
            ),
            (
                "breaker = { slow_after = \"1s\" }",
                r#"spin.toml:10: `application.tool.socar.links.car.breaker.slow_rate`: this key is missing; add the percentage of slow calls that opens the breaker"#,
            ),
            (
                "breaker = \"on\"",
                r#"spin.toml:10: `application.tool.socar.links.car.breaker` = "on": expected a boolean, found a string; write true or false, without quotes"#,
            ),
            (
                "retry = { attempts = 100 }",
                r#"spin.toml:10: `application.tool.socar.links.car.retry.attempts` = 100: out of bounds; write a number from 1 to 10"#,
            ),
        ],
        of_car,
    );
}

#[test]
fn invalid_names_of_priorities_are_rejected() {
    check(
        &[
            (
                "priorities = []",
                r#"spin.toml:10: `application.tool.socar.priorities` = []: out of bounds; name 1 to 8 priorities, the lowest first"#,
            ),
            (
                "priorities = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\"]",
                r#"spin.toml:10: `application.tool.socar.priorities` = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]: out of bounds; name 1 to 8 priorities, the lowest first"#,
            ),
            (
                "priorities = [\"low\", \"low\"]",
                r#"spin.toml:10: `application.tool.socar.priorities[1]` = "low": not a name of its own; give each priority another name"#,
            ),
            (
                "priorities = [\"low\", \"\"]",
                r#"spin.toml:10: `application.tool.socar.priorities[1]` = "": not a name of its own; give each priority another name"#,
            ),
            (
                "priorities = [\"browsing\", \"paying\"]\npriority = \"high\"",
                r#"spin.toml:11: `application.tool.socar.priority` = "high": there is no such priority; known here: `browsing`, `paying`"#,
            ),
        ],
        |more| in_car(&format!("[application.tool.socar]\n{more}")),
    );
}

#[test]
fn a_former_key_is_rejected_with_its_current_name() {
    // Every table that the key may stand in, and the name of the table in the message.
    let tables = [
        ("application.tool.socar", "application.tool.socar"),
        (
            "application.tool.socar.links.car",
            "application.tool.socar.links.car",
        ),
        ("component.car.tool.socar", "component.car.tool.socar"),
        (
            "component.car.tool.socar.links.car",
            "component.car.tool.socar.links.car",
        ),
        (
            "component.car.tool.socar.links.outbound",
            "component.car.tool.socar.links.outbound",
        ),
        (
            "component.car.tool.socar.links.\"https://bank\"",
            "component.car.tool.socar.links.https://bank",
        ),
    ];
    let former = [
        ("wait", "wait", "queue_timeout"),
        ("breaker.open", "open", "open_duration"),
        ("breaker.open_longest", "open_longest", "max_open_duration"),
        ("breaker.probe_patience", "probe_patience", "probe_timeout"),
        ("retry.pause", "pause", "backoff"),
        ("retry.longest_pause", "longest_pause", "max_backoff"),
    ];
    for (header, table) in tables {
        for (path, key, current) in former {
            assert_eq!(
                rejection(&in_car(&format!("[{header}]\n{path} = \"1s\""))),
                format!(
                    "spin.toml:10: `{table}.{path}` = \"1s\": unknown key; `{key}` is now `{current}`"
                )
            );
            let current = path.replace(key, current);
            assert!(
                load(&format!("[{header}]\n{current} = \"1s\"\n")).is_ok(),
                "{current}"
            );
        }
    }
}

fn of_car(more: &str) -> String {
    in_car(&format!("[application.tool.socar.links.car]\n{more}"))
}
