//! Does a page learn how its users sign in, and does it get tokens where, and only where, it may name them itself?

use std::time::Duration;

use harness::{
    CLIENT_ID, Client, Mode, Platform, Process, Protocol, RequestBuilder, Setup, TokenIssuer,
    new_state_dir, socar,
};
use http::Method;
use serde_json::{Value, json};

const TOKEN: &str = "/identity/token";
const GRANT: &str = "/identity/grant";

/// A code verifier and its S256 challenge: the example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

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

/// A platform whose page signs its users in at an issuer.
fn with_issuer(issuer: &TokenIssuer) -> Platform {
    Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument(&issuer.url())
        .argument("--audience")
        .argument("socar")
        .argument("--client-id")
        .argument(CLIENT_ID)
        .start()
}

/// The code by which the issuer leads a user back to the page.
fn code(platform: &Platform, issuer: &TokenIssuer) -> String {
    let query = format!(
        "redirect_uri=https%3A%2F%2Fshop.example%2F&state=s-1&nonce=n-1&code_challenge={CHALLENGE}"
    );
    let path = format!("/identity/authorization?{query}");
    let leads_there = platform.get(&path).send().is(303);
    assert_eq!(leads_there.header("cache-control"), "no-store");
    let target = leads_there.header("location").to_owned();
    let target = target.strip_prefix(&issuer.url()).expect("the issuer");
    let provider = Client::new(&format!("{}/", issuer.url()), Protocol::Http1);
    let leads_back = provider.request(Method::GET, target).send().is(302);
    let back = leads_back.header("location").to_owned();
    let (page, query) = back.split_once('?').expect("parameters");
    assert_eq!(page, "https://shop.example/");
    assert!(query.contains("state=s-1"), "{query}");
    let mut parameters = query.split('&');
    let code = parameters.find_map(|it| it.strip_prefix("code="));
    code.expect("a code")
        .replace("%26", "&")
        .replace("%2B", "+")
}

fn grant_of(code: &str, verifier: &str) -> Value {
    json!({
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": "https://shop.example/",
    })
}

#[test]
fn a_user_signs_in_at_the_issuer_renews_the_token_and_signs_out() {
    let issuer = TokenIssuer::start();
    let platform = with_issuer(&issuer);
    issuer.sign_in("customer", "alice", 300);
    let grant = grant_of(&code(&platform, &issuer), VERIFIER);
    let granted = platform.post(GRANT).json(&grant).send().is(200);
    assert_eq!(granted.header("cache-control"), "no-store");
    let tokens = granted.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(300))
    );
    assert!(tokens["id_token"].is_string() && tokens["scope"].is_null());
    let token = tokens["access_token"].as_str().expect("a token");
    platform.with_token(token).get("/cars").send().is(200);

    let renewal = json!({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]});
    let renewed = platform.post(GRANT).json(&renewal).send().is(200).json();
    let token = renewed["access_token"].as_str().expect("a token");
    platform.with_token(token).get("/cars").send().is(200);
    // A refresh token is used once, and so is a code.
    for used in [&renewal, &grant] {
        let refused = platform.post(GRANT).json(used).send();
        let problem = refused.problem(400, "grant-refused");
        assert!(problem["detail"].to_string().contains("(invalid_grant)"));
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }

    let path = "/identity/sign-out?post_logout_redirect_uri=https%3A%2F%2Fshop.example%2F";
    let out = platform.get(path).send().is(303);
    let out = out.header("location").to_owned();
    let expected = format!("{}/sign-out?client_id={CLIENT_ID}&", issuer.url());
    assert!(out.starts_with(&expected), "{out}");
    // Neither a code nor a token is in the log.
    let log = platform.output();
    for secret in ["code-1", "refresh-", token] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn a_code_is_of_no_use_to_another_page() {
    let issuer = TokenIssuer::start();
    let platform = with_issuer(&issuer);
    issuer.sign_in("customer", "alice", 300);
    let stolen = grant_of(&code(&platform, &issuer), &VERIFIER.replace('d', "e"));
    let refused = platform.post(GRANT).json(&stolen).send();
    refused.problem(400, "grant-refused");
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let foreign = |request: RequestBuilder| request.header(name, value).send();
        foreign(platform.post(GRANT).json(&stolen)).problem(404, "not-found");
        foreign(platform.get("/identity/authorization?state=s")).problem(404, "not-found");
        foreign(platform.get("/identity/sign-out")).problem(404, "not-found");
    }
    platform.assert_no_foreign_post(GRANT);
    let form = platform.post(GRANT).body("text/plain", stolen.to_string());
    form.send().problem(415, "unsupported-media-type");
    let password = json!({"grant_type": "password", "username": "alice", "password": "x"});
    platform
        .post(GRANT)
        .json(&password)
        .send()
        .problem(400, "malformed-json");
    for query in ["", "?state=s", "?state=a&state=b&nonce=n"] {
        let path = format!("/identity/authorization{query}");
        platform.get(&path).send().problem(400, "bad-query");
    }
    let read = platform.get(GRANT).send().is(405);
    assert_eq!(read.header("allow"), "POST, OPTIONS");
}

#[test]
fn an_issuer_that_does_not_answer_gives_no_token() {
    let mut issuer = TokenIssuer::start();
    let platform = with_issuer(&issuer);
    issuer.close();
    let grant = grant_of("code", VERIFIER);
    let refused = platform.post(GRANT).json(&grant).send();
    refused.problem(503, "identity-unavailable");
    assert_eq!(refused.header("retry-after"), "1");
}

#[test]
fn no_other_platform_signs_users_in() {
    let open = Setup::new(Mode::Embedded).start();
    assert_eq!(open.get_json("/identity"), json!({"mode": "open"}));
    sign_in(&open).send().problem(404, "not-found");
    let path = "/identity/authorization";
    open.get(path).send().problem(404, "not-found");
    let grant = grant_of("code", VERIFIER);
    let grant = open.post(GRANT).json(&grant);
    grant.send().problem(404, "not-found");

    let issuer = TokenIssuer::start();
    let with_issuer = with_issuer(&issuer);
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
