//! Errors in `changes`.

use super::{check, in_car, rejection};
use crate::manifest::tests::{CAR, HEAD, app};

const EVENTS: &str = "[application.trigger.redis]\naddress = \"redis://h\"\n[[trigger.redis]]\nchannel = \"cars\"\ncomponent = \"car\"\n";

/// A manifest whose component has events and, on line 16, this value of `changes`.
fn with_events(changes: &str) -> String {
    in_car(&format!(
        "{EVENTS}[component.car.tool.socar]\nchanges = {changes}"
    ))
}

#[test]
fn a_path_that_cannot_be_served_is_rejected() {
    check(
        &[
            (
                "\"/cars/:id\"",
                r#"spin.toml:15: `component.car.tool.socar.changes` = "/cars/:id": the changes of a component have one path; write a path such as "/carviews/stream""#,
            ),
            (
                "\"cars/stream\"",
                r#"spin.toml:15: `component.car.tool.socar.changes` = "cars/stream": the changes of a component have one path; write a path such as "/carviews/stream""#,
            ),
            (
                "5",
                r#"spin.toml:15: `component.car.tool.socar.changes` = 5: not a path; write a path, or { path = "/…", listeners = 1000 }"#,
            ),
            (
                "{ listeners = 5 }",
                r#"spin.toml:15: `component.car.tool.socar.changes`: there is no path; write a path, or { path = "/…", listeners = 1000 }"#,
            ),
            (
                "{ path = \"/cars/stream\", listeners = 0 }",
                r#"spin.toml:15: `component.car.tool.socar.changes.listeners` = 0: out of bounds; write a number from 1 to 100000"#,
            ),
            (
                "{ path = \"/cars/stream\", listeners = 1000 }",
                r#"spin.toml:15: `component.car.tool.socar.changes.listeners` = 1000: more listeners than the connections of the host leave room for (896); write less, or raise `application.tool.socar.listener.connections`"#,
            ),
        ],
        with_events,
    );
}

#[test]
fn changes_need_events_and_a_path_of_their_own() {
    let without_events = in_car("[component.car.tool.socar]\nchanges = \"/cars/stream\"");
    assert_eq!(
        rejection(&without_events),
        r#"spin.toml:10: `component.car.tool.socar.changes` = "/cars/stream": the component has no events, so that nothing would ever be sent; add a [[trigger.redis]] for the component, or remove the key"#
    );
    let route = "[[trigger.http]]\nroute = \"/cars/stream\"\ncomponent = \"car\"\n";
    let routed = format!(
        "{HEAD}{route}{CAR}{EVENTS}[component.car.tool.socar]\nchanges = \"/cars/stream\"\n"
    );
    assert!(
        rejection(&routed).contains("component `car` already answers on this path"),
        "{}",
        rejection(&routed)
    );
    let of_application = in_car("[application.tool.socar]\nchanges = \"/cars/stream\"");
    assert!(
        rejection(&of_application).contains("only a component has changes"),
        "{}",
        rejection(&of_application)
    );
}

#[test]
fn a_path_is_short_for_a_table() {
    let changes = |written: &str| {
        let app = app(&format!(
            "{EVENTS}[component.car.tool.socar]\nchanges = {written}\n"
        ));
        let car = app.component("car");
        let policy = car.map(|car| car.policy.changes.clone());
        policy.flatten().unwrap_or_else(|| panic!("no changes"))
    };
    let short = changes("\"/cars/stream\"");
    assert_eq!(short.path.value, "/cars/stream");
    assert_eq!((short.listeners, short.backlog), (None, 1024));
    let long = changes("{ path = \"/cars/stream\", listeners = 7, backlog = 8 }");
    assert_eq!(long.listeners.map(|it| it.value), Some(7));
    assert_eq!(long.backlog, 8);
}
