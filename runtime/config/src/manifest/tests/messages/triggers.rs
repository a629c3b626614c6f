//! Errors in `[[trigger.http]]` and `[[trigger.redis]]`.

use super::{check, in_car};

#[test]
fn an_invalid_route_is_rejected() {
    check(
        &[
            (
                "\"/cars/...\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/cars/...": component `car` already answers on these paths (line 5); give one of the two another route, or remove it"#,
            ),
            (
                "\"/a//b\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/a//b": two slashes follow each other; remove one of them"#,
            ),
            (
                "\"/a/.../b\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/a/.../b": a wildcard is only allowed at the end; put `/...` last, or use `:name` for one segment"#,
            ),
            (
                "\"/a*\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/a*": a wildcard is only allowed at the end; put `/...` last, or use `:name` for one segment"#,
            ),
            (
                "\"/a/:\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/a/:": `:` is not a parameter; name it with letters, digits, `-` and `_`, such as `:carId`"#,
            ),
            (
                "\"/:id/:id\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/:id/:id": `:id` occurs twice; give each parameter its own name"#,
            ),
            (
                "\"/a b\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/a b": ' ' is not allowed in a path; write a path such as `/cars/...`"#,
            ),
            (
                "\"/a?x=1\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/a?x=1": '?' is not allowed in a path; write a path such as `/cars/...`"#,
            ),
            (
                "\"/{{ base }}/cars\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/{{ base }}/cars": a route cannot contain variables; write the path itself"#,
            ),
            (
                "\"/.well-known/spin/health\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/.well-known/spin/health": the host itself answers at these paths; choose another route"#,
            ),
            (
                "\"/liv%65z\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/liv%65z": the host itself answers at these paths; choose another route"#,
            ),
            (
                "\"operations/:id/...\"",
                r#"spin.toml:10: `trigger.http[1].route` = "operations/:id/...": the host itself answers at these paths; choose another route"#,
            ),
            (
                "\"/identity/token/\"",
                r#"spin.toml:10: `trigger.http[1].route` = "/identity/token/": the host itself answers at these paths; choose another route"#,
            ),
            (
                "{ private = false }",
                r#"spin.toml:10: `trigger.http[1].route.private` = false: a route that is not private needs a path; write route = "/…""#,
            ),
            (
                "{ privat = true }",
                r#"spin.toml:10: `trigger.http[1].route.privat` = true: unknown key; did you mean `private`?"#,
            ),
            (
                "5",
                r#"spin.toml:10: `trigger.http[1].route` = 5: expected a string, found a whole number; put it in quotes"#,
            ),
        ],
        |route| {
            in_car(&format!(
                "[[trigger.http]]\nroute = {route}\ncomponent = \"car\""
            ))
        },
    );
}

#[test]
fn an_invalid_trigger_is_rejected() {
    check(
        &[
            (
                "[[trigger.http]]\nroute = \"/x\"\ncomponent = \"cra\"",
                r#"spin.toml:11: `trigger.http[1].component` = "cra": there is no such component; did you mean `car`?"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/x\"\ncomponent = \"reservation\"",
                r#"spin.toml:11: `trigger.http[1].component` = "reservation": there is no such component; known here: `car`"#,
            ),
            (
                "[[trigger.http]]\ncomponent = \"car\"",
                r#"spin.toml:9: `trigger.http[1].route`: this key is missing; add route = "/…", or route = { private = true }"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/x\"",
                r#"spin.toml:9: `trigger.http[1].component`: this key is missing; name the component, or give a static_response"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/x\"\ncomponent = { source = \"car.wasm\" }",
                r#"spin.toml:11: `trigger.http[1].component`: socar reads no component inside a trigger; declare it as [component.<id>] and name it here"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/x\"\ncomponent = \"car\"\nexecutor = { type = \"wagi\" }",
                r#"spin.toml:12: `trigger.http[1].executor.type` = "wagi": socar runs components of wasi:http only; remove `executor`"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/x\"\nstatic_response = { status_code = 99 }",
                r#"spin.toml:11: `trigger.http[1].static_response.status_code` = 99: not an HTTP status; write a number from 100 to 999"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/x\"\nstatic_response = { headers = { \"a b\" = \"1\" } }",
                r#"spin.toml:11: `trigger.http[1].static_response.headers.a b` = "1": not an HTTP header; correct its name or value"#,
            ),
            (
                "[[trigger.http]]\nroute = \"/x\"\ncomponent = \"car\"\nstatic_response = { body = \"x\" }",
                r#"spin.toml:11: `trigger.http[1].component` = "car": the trigger has a static_response as well; remove one of the two"#,
            ),
            (
                "[[trigger.redis]]\nchannel = \"socar.car\"\ncomponent = \"car\"",
                r#"spin.toml:10: `trigger.redis[0].channel` = "socar.car": there is no address to listen at; add address = "redis://…" to [application.trigger.redis]"#,
            ),
            (
                "[[trigger.redis]]\ncomponent = \"car\"",
                r#"spin.toml:9: `trigger.redis[0].channel`: this key is missing; name the channel that triggers it"#,
            ),
            (
                "[[trigger.redis]]\nchannel = \"socar.car\"",
                r#"spin.toml:9: `trigger.redis[0].component`: this key is missing; name the component that it triggers"#,
            ),
        ],
        in_car,
    );
    check(
        &[
            (
                "[[trigger.redis]]\nchannel = \"\"\ncomponent = \"car\"",
                r#"spin.toml:12: `trigger.redis[0].channel` = "": the channel is empty; name the channel that triggers the component"#,
            ),
            (
                "[[trigger.redis]]\nchannel = \"socar.car\"\ncomponent = \"cars\"",
                r#"spin.toml:13: `trigger.redis[0].component` = "cars": there is no such component; did you mean `car`?"#,
            ),
            (
                "[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"car\"\naddress = \"redis://elsewhere\"",
                r#"spin.toml:14: `trigger.redis[0].address` = "redis://elsewhere": socar has one event log, which already has another address; remove it; [application.trigger.redis] address holds for all triggers"#,
            ),
            (
                "[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"car\"\naddress = \"localhost:6379\"",
                r#"spin.toml:14: `trigger.redis[0].address` = "localhost:6379": not a Redis address: it has no scheme; write redis://host:port, or rediss://host:port for TLS"#,
            ),
            (
                "[component.view]\nsource = \"v.wasm\"\n[[trigger.redis]]\nchannel = \"socar.payment\"\ncomponent = \"car\"\n[[trigger.redis]]\nchannel = \"socar.paymnt\"\ncomponent = \"view\"",
                r#"spin.toml:14: `trigger.redis[0].channel` = "socar.payment": no other trigger has this channel; did you mean `socar.paymnt`?"#,
            ),
            (
                "[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"car\"\n[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"car\"",
                r#"spin.toml:15: `trigger.redis[1].channel` = "a": this channel already triggers component `car`; remove one of the two triggers"#,
            ),
        ],
        |more| {
            in_car(&format!(
                "[application.trigger.redis]\naddress = \"redis://h:6379\"\n{more}"
            ))
        },
    );
}
