//! Does a page learn how its users sign in, and does it get tokens where, and only where, it may name them itself?

use std::time::Duration;

use harness::{
    Client, Mode, Platform, Process, Protocol, RequestBuilder, Setup, TokenIssuer, new_state_dir,
    socar,
};
use http::Method;
use serde_json::{Value, json};

const TOKEN: &str = "/identity/token";

/// The time in which a host starts.
const START_TIMEOUT: Duration = Duration::from_secs(60);

fn local() -> Setup {
    Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument("local")
}

fn alice() -> Value {
    json!({"role": "customer", "subject": "alice"})
}

/// A request for a token of alice, as the page of the platform sends it.
fn sign_in(platform: &Platform) -> RequestBuilder {
    let page = platform.url().trim_end_matches('/').to_owned();
    platform
        .post(TOKEN)
        .json(&alice())
        .header("origin", &page)
        .header("sec-fetch-site", "same-origin")
}

#[test]
fn the_page_signs_a_user_in_on_this_machine() {
    let platform = local().start();
    let identity = platform.get("/identity").send().is(200);
    assert_eq!(identity.json(), json!({"mode": "local"}));
    let signed_in = sign_in(&platform).send().is(200);
    assert_eq!(signed_in.header("cache-control"), "no-store");
    let token = signed_in.json();
    assert_eq!(
        (&token["token_type"], &token["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    let token = token["access_token"].as_str().expect("a token");
    let alice = platform.with_token(token);
    alice.get("/cars").send().is(200);
    alice
        .post("/cars")
        .json(&json!({"carName": "x"}))
        .send()
        .problem(403, "forbidden");
    // A client of this machine that is no browser.
    platform.post(TOKEN).json(&alice_as("host")).send().is(200);
}

fn alice_as(role: &str) -> Value {
    json!({"role": role, "subject": "alice"})
}

#[test]
fn a_foreign_page_gets_no_token() {
    let platform = local().start();
    let with = |name: &str, value: &str| {
        let request = platform.post(TOKEN).json(&alice());
        request.header(name, value).send()
    };
    with("origin", "https://evil.example").problem(404, "not-found");
    with("origin", "null").problem(404, "not-found");
    with("sec-fetch-site", "cross-site").problem(404, "not-found");
    with("sec-fetch-site", "same-site").problem(404, "not-found");
    // A name that was resolved to this machine, and a proxy in front of it.
    with("host", "evil.example").problem(404, "not-found");
    with("x-forwarded-for", "10.0.0.7").problem(404, "not-found");
    platform.assert_no_foreign_post(TOKEN);
}

#[test]
fn a_token_is_for_a_json_object_with_a_role_and_a_subject() {
    let platform = local().start();
    let form = platform.post(TOKEN).body("text/plain", alice().to_string());
    form.send().problem(415, "unsupported-media-type");
    for (body, status, problem) in [
        (
            json!({"role": "platform", "subject": "alice"}),
            422,
            "invalid-field",
        ),
        (
            json!({"role": "customer", "subject": "a b"}),
            422,
            "invalid-field",
        ),
        (json!({"role": "customer"}), 400, "malformed-json"),
    ] {
        platform
            .post(TOKEN)
            .json(&body)
            .send()
            .problem(status, problem);
    }
    let read = platform.get(TOKEN).send().is(405);
    assert_eq!(read.header("allow"), "POST, OPTIONS");
    let written = platform.post("/identity").json(&alice()).send().is(405);
    assert_eq!(written.header("allow"), "GET, HEAD, OPTIONS");
}

#[test]
fn no_other_platform_signs_users_in() {
    let open = Setup::new(Mode::Embedded).start();
    assert_eq!(open.get_json("/identity"), json!({"mode": "open"}));
    sign_in(&open).send().problem(404, "not-found");

    let issuer = TokenIssuer::start();
    let with_issuer = Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument(&issuer.url())
        .argument("--audience")
        .argument("socar")
        .argument("--client-id")
        .argument("socar-page")
        .start();
    assert_eq!(
        with_issuer.get_json("/identity"),
        json!({"mode": "issuer", "issuer": issuer.url(), "clientId": "socar-page"})
    );
    sign_in(&with_issuer).send().problem(404, "not-found");

    // Other machines reach this one.
    let state = new_state_dir("socar-state-");
    let mut command = socar();
    command.args([
        "up",
        "--listen",
        "0.0.0.0:0",
        "--identity",
        "local",
        "--state-dir",
    ]);
    command.arg(state.path());
    let process = Process::start("socar", command, state.path());
    let url = process.wait_for(START_TIMEOUT, |line| {
        let url = line.strip_prefix("Serving ")?;
        Some(url.replace("0.0.0.0", "127.0.0.1"))
    });
    let client = Client::new(&url.expect("it serves"), Protocol::Http1);
    let identity = client.request(Method::GET, "/identity").send();
    assert_eq!(identity.json(), json!({"mode": "local"}));
    let request = client.request(Method::POST, TOKEN).json(&alice());
    request.send().problem(404, "not-found");
}
