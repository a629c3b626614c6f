//! Who may use a platform with identity: callers with a token of its issuer, and no others.

use std::time::{Duration, Instant};

use harness::{
    Client, Mode, Platform, Process, Setup, TokenIssuer, eventually, platform_authorization, read,
    socar,
};
use http::Method;
use serde_json::json;

/// The time after which the host asks the issuer for keys again.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

fn local() -> Platform {
    Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument("local")
        .variable("context_token", "key-of-the-contexts")
        .start()
}

fn with_issuer(issuer: &TokenIssuer) -> Platform {
    Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument(&issuer.url())
        .argument("--audience")
        .argument("socar")
        .start()
}

/// The status of a request with this `Authorization`.
fn status(platform: &Platform, authorization: &str) -> u16 {
    let request = platform.get("/cars").header("authorization", authorization);
    request.send().status
}

#[test]
fn a_request_without_a_usable_token_is_told_what_to_send() {
    let platform = local();
    let missing = platform.get("/cars").send();
    missing.problem(401, "token-required");
    assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"socar\"");
    for authorization in ["Basic YWxpY2U6cw==", "Bearer", "alice"] {
        let refused = platform
            .get("/cars")
            .header("authorization", authorization)
            .send();
        refused.problem(401, "token-required");
    }
    let foreign = TokenIssuer::start().token("operator", "mallory");
    for token in ["x", "a.b.c", &foreign, &"x".repeat(9000)] {
        let refused = platform.with_token(token).get("/cars").send();
        refused.problem(401, "invalid-token");
        let challenge = refused.header("www-authenticate");
        let start = "Bearer realm=\"socar\", error=\"invalid_token\", error_description=\"";
        assert!(challenge.starts_with(start), "{challenge}");
    }
    // Two credentials are no credential.
    let alice = platform.signed_in("customer", "alice");
    let twice = platform.get("/cars");
    let twice = twice.header("authorization", &format!("Bearer {foreign}"));
    twice
        .header("authorization", "Bearer x")
        .send()
        .problem(401, "invalid-token");
    // A body is received before the answer, so that the client can read it.
    let large = "x".repeat(200_000);
    platform
        .post("/cars")
        .body("application/json", large)
        .send()
        .problem(401, "token-required");
    alice.get("/cars").send().is(200);
}

#[test]
fn probes_preflights_and_the_page_need_no_token() {
    let platform = local();
    for path in [
        "/livez",
        "/readyz",
        "/actuator/health",
        "/.well-known/spin/health",
        "/",
    ] {
        platform.get(path).send().is(200);
    }
    let preflight = platform
        .request(Method::OPTIONS, "/cars")
        .header("origin", "https://shop.example");
    let preflight = preflight
        .header("access-control-request-method", "POST")
        .send();
    assert!(matches!(preflight.status, 200 | 204), "{preflight}");
    // The methods of a resource are no secret; the resource is.
    platform
        .get("/cars/1")
        .send()
        .problem(401, "token-required");
    platform.get("/no/such/path").send().is(404);
}

#[test]
fn a_reservation_runs_through_every_context() {
    let platform = local();
    let company = platform.signed_in("host", "company");
    let car = company.register_car("identity");
    let alice = platform.signed_in("customer", "alice");
    let reservation = alice.reserve_and_confirm(&car);
    alice.wait_for_payment(&reservation, "paid");
    alice.wait_for_view(&car, &json!({"rsvId": reservation.id, "payStatus": "paid"}));
    alice.cancel_and_wait(&reservation, &car);
    assert!(
        platform
            .output()
            .contains("identity: tokens of `socar token`")
    );
}

#[test]
fn the_token_of_another_context_is_a_token_of_the_platform() {
    let platform = local();
    let token = platform_authorization("key-of-the-contexts", "car");
    assert_eq!(status(&platform, &token), 200);
    assert_eq!(status(&platform, &token.replace("Bearer", "bearer")), 200);
    for refused in [
        platform_authorization("key-of-the-contexts", "payment"),
        platform_authorization("key-of-the-context", "car"),
        "Bearer key-of-the-contexts".to_owned(),
        // No relay is configured, so that an empty token is none.
        "Bearer ".to_owned(),
    ] {
        assert_eq!(status(&platform, &refused), 401, "{refused}");
    }
}

#[test]
fn tokens_expire() {
    let platform = local();
    let output = socar()
        .args([
            "token",
            "--role",
            "customer",
            "--subject",
            "alice",
            "--expires",
            "1s",
            "--state-dir",
        ])
        .arg(platform.state_dir())
        .output()
        .expect("socar starts");
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // Clocks may differ by a minute, so that the token is accepted still. Unit tests have the vectors of expired tokens.
    platform.with_token(&token).get("/cars").send().is(200);
    let issuer = TokenIssuer::start();
    let platform = with_issuer(&issuer);
    let expired = issuer.token_for("customer", "alice", "socar", -62);
    let refused = platform.with_token(&expired).get("/cars").send();
    refused.problem(401, "invalid-token");
    assert!(
        refused
            .header("www-authenticate")
            .contains("the token has expired"),
        "{refused}"
    );
    let other = issuer.token_for("customer", "alice", "shop", 60);
    platform
        .with_token(&other)
        .get("/cars")
        .send()
        .problem(401, "invalid-token");
    let visitor = issuer.token("visitor", "alice");
    let refused = platform.with_token(&visitor).get("/cars").send();
    refused.problem(403, "role-required");
    assert!(
        refused
            .header("www-authenticate")
            .contains("insufficient_scope"),
        "{refused}"
    );
}

#[test]
fn an_issuer_that_rotates_its_keys_is_followed_and_not_hammered() {
    let issuer = TokenIssuer::start();
    let begun = Instant::now();
    let platform = with_issuer(&issuer);
    let old = platform.with_token(&issuer.token("customer", "alice"));
    old.get("/cars").send().is(200);
    assert_eq!(issuer.requests(), 1);
    // Tokens with unknown keys: one request for keys in each interval, however many tokens.
    let assert_not_hammered = || {
        let intervals = begun.elapsed().as_secs() / REFRESH_INTERVAL.as_secs();
        let requests = issuer.requests() as u64;
        assert!(requests <= intervals + 1, "{requests} in {intervals}");
    };
    let foreign = TokenIssuer::start().token("operator", "mallory");
    let stranger = platform.with_token(&foreign);
    for _ in 0..50 {
        stranger.get("/cars").send().problem(401, "invalid-token");
    }
    assert_not_hammered();
    issuer.rotate();
    let new = platform.with_token(&issuer.token("customer", "alice"));
    eventually(|| new.get("/cars").send().status, |status| *status == 200);
    // The old key was withdrawn.
    old.get("/cars").send().problem(401, "invalid-token");
    assert_not_hammered();
}

#[test]
fn known_keys_serve_while_the_issuer_is_gone_or_slow() {
    let mut issuer = TokenIssuer::start();
    let platform = with_issuer(&issuer);
    let alice = platform.with_token(&issuer.token("customer", "alice"));
    alice.get("/cars").send().is(200);
    issuer.close();
    let bob = platform.with_token(&issuer.token("customer", "bob"));
    bob.get("/cars").send().is(200);
    let foreign = TokenIssuer::start().token("operator", "mallory");
    platform
        .with_token(&foreign)
        .get("/cars")
        .send()
        .problem(401, "invalid-token");
    issuer.open();
    issuer.answer_after(Duration::from_secs(60));
    std::thread::sleep(REFRESH_INTERVAL);
    // A token with an unknown key waits for the issuer, for three seconds at most; the others do not wait.
    let begun = Instant::now();
    let refused = std::thread::scope(|scope| {
        let stranger = platform.with_token(&foreign);
        let stranger = scope.spawn(move || stranger.get("/cars").send().status);
        alice.get("/cars").send().is(200);
        assert!(!stranger.is_finished(), "they wait for the issuer alike");
        stranger.join().expect("a status")
    });
    assert_eq!(refused, 401);
    // Far less than the issuer takes, and more than a busy machine adds to the three seconds.
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_host_starts_without_its_issuer_and_waits_for_it() {
    let mut issuer = TokenIssuer::start();
    issuer.close();
    let platform = with_issuer(&issuer);
    let alice = platform.with_token(&issuer.token("customer", "alice"));
    let unavailable = alice.get("/cars").send();
    unavailable.problem(503, "identity-unavailable");
    unavailable.assert_retry_later();
    platform.get("/readyz").send().is(200);
    eventually(
        || platform.output(),
        |output| output.contains("cannot be fetched"),
    );
    issuer.open();
    eventually(|| alice.get("/cars").send().status, |status| *status == 200);
}

#[test]
fn an_address_beyond_this_machine_needs_an_identity_or_a_decision() {
    let start = |arguments: &[&str], variables: &[(&str, &str)]| {
        let _built = Platform::shared(Mode::Embedded);
        let state = harness::new_state_dir("identity-");
        let mut command = socar();
        command.args(["up", "--listen", "0.0.0.0:0", "--state-dir"]);
        command.arg(state.path()).args(arguments);
        command.envs(variables.iter().copied());
        (Process::start("socar", command, state.path()), state)
    };
    let (refused, _state) = start(&[], &[]);
    let (status, output) = refused.wait_for_exit(Duration::from_secs(60));
    assert_eq!(status.code(), Some(1), "{output}");
    for part in [
        "--listen 0.0.0.0:0",
        "--identity",
        "127.0.0.1:0",
        "--open",
        "SOCAR_OPEN=true",
    ] {
        assert!(output.contains(part), "{part} is missing: {output}");
    }
    let serves = |process: &Process| {
        let url = process.wait_for(Duration::from_secs(180), |line| {
            line.strip_prefix("Serving ").map(str::to_owned)
        });
        url.expect("it serves").replace("0.0.0.0", "127.0.0.1")
    };
    for (arguments, variables) in [(&["--open"][..], &[][..]), (&[], &[("SOCAR_OPEN", "true")])] {
        let (process, _state) = start(arguments, variables);
        let client = Client::new(&serves(&process), harness::Protocol::Http1);
        client.request(Method::GET, "/cars").send().is(200);
        eventually(
            || process.output_since(0),
            |output| output.contains("open: no identity is configured"),
        );
    }
    let (process, _state) = start(&["--open", "--identity", "local"], &[]);
    let client = Client::new(&serves(&process), harness::Protocol::Http1);
    client
        .request(Method::GET, "/cars")
        .send()
        .problem(401, "token-required");
}

#[test]
fn an_unusable_identity_stops_the_start() {
    for (arguments, problem) in [
        (&["--identity", "https://issuer.example"][..], "--audience"),
        (
            &["--identity", "http://issuer.example", "--audience", "a"],
            "an https URL",
        ),
        (&["--identity", "issuer", "--audience", "a"], "an https URL"),
    ] {
        let state = harness::new_state_dir("identity-");
        let mut command = socar();
        command.args(["up", "--listen", "127.0.0.1:0", "--state-dir"]);
        command.arg(state.path()).args(arguments);
        let process = Process::start("socar", command, state.path());
        let (status, output) = process.wait_for_exit(Duration::from_secs(60));
        assert_eq!(status.code(), Some(1), "{output}");
        assert!(output.contains(problem), "{output}");
    }
}

#[test]
fn a_manifest_or_a_variable_can_name_the_issuer() {
    let issuer = TokenIssuer::start();
    let url = issuer.url();
    let in_manifest = Setup::new(Mode::Embedded).manifest(|manifest| {
        let named = manifest
            .replace("\"{{ identity_issuer }}\"\naud", &format!("\"{url}\"\naud"))
            .replace(
                "audience = \"{{ identity_audience }}\"\nroles",
                "audience = \"socar\"\nroles",
            );
        assert_ne!(named, read("spin.toml"));
        named
    });
    let in_variables = Setup::new(Mode::Embedded)
        .variable("identity_issuer", &url)
        .variable("identity_audience", "socar");
    for setup in [in_manifest, in_variables] {
        let platform = setup.start();
        platform.get("/cars").send().problem(401, "token-required");
        platform
            .with_token(&issuer.token("host", "company"))
            .get("/cars")
            .send()
            .is(200);
    }
}

#[test]
fn one_client_that_sends_too_many_requests_waits_and_others_do_not() {
    let setup = Setup::new(Mode::Embedded).manifest(|manifest| {
        let limits = "client_rate = 1\nclient_burst = 10\ntrusted_proxies = [";
        manifest.replacen("trusted_proxies = [", limits, 1)
    });
    let platform = setup.argument("--identity").argument("local").start();
    let (alice, bob) = (
        platform.signed_in("customer", "alice"),
        platform.signed_in("customer", "bob"),
    );
    let answers: Vec<_> = (0..20).map(|_| alice.get("/cars").send()).collect();
    let refused = answers.iter().find(|answer| answer.status == 429);
    let refused = refused.expect("a refusal");
    refused.problem(429, "too-many-requests");
    assert_eq!(refused.header("ratelimit-policy"), "\"client\";q=10;w=10");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(answers[..10].iter().all(|answer| answer.status == 200));
    bob.get("/cars").send().is(200);
    eventually(|| alice.get("/cars").send().status, |status| *status == 200);
    let metrics = platform.admin().metrics();
    let refusals = "socar_listener_refused_total{reason=\"rate-limited\"}";
    assert!(metrics.contains(refusals), "{metrics}");
}

#[test]
fn operators_steer_the_platform_with_their_token() {
    let platform = local();
    let reset = |user: &Platform| {
        let request = user.admin().request(Method::POST, "/breakers/reset");
        request
            .json(&json!({"link": "reservation -> payment"}))
            .send()
    };
    reset(&platform.signed_in("operator", "olga")).is(200);
    reset(&platform.signed_in("host", "company")).is(403);
    reset(&platform.with_token("no-token")).is(401);
    // Programs of this machine need none, as before.
    reset(&platform).is(200);
    let announced = || {
        let events = platform.events("socar.platform");
        let actors = events
            .iter()
            .filter(|event| event["type"] == "OperatorRequestHandled");
        let mut actors: Vec<_> = actors.map(|event| event["actor"].clone()).collect();
        actors.sort_by_key(ToString::to_string);
        actors
    };
    let expected = [json!("local-program"), json!("olga")];
    eventually(announced, |actors| *actors == expected);
}

#[test]
fn events_and_the_timeline_say_who_did_what() {
    let platform = local();
    let company = platform.signed_in("host", "company");
    let car = company.register_car("actors");
    let alice = platform.signed_in("customer", "alice");
    let reservation = alice.reserve_and_confirm(&car);
    alice.cancel_and_wait(&reservation, &car);
    let timeline = alice.get_json(&format!("{}/timeline", reservation.path));
    let steps = timeline["steps"].as_array().expect("steps");
    assert!(
        steps.iter().all(|step| step["actor"] == "alice"),
        "{timeline:#}"
    );
    let actors = |stream: &str| -> Vec<String> {
        let events = platform.events(stream);
        let actors = events.iter().map(|event| event["actor"].as_str());
        actors
            .map(|actor| actor.unwrap_or("none").to_owned())
            .collect()
    };
    assert_eq!(actors("socar.payment"), ["alice", "alice"]);
    assert!(
        actors("socar.reservation")
            .iter()
            .all(|actor| actor == "alice")
    );
    assert_eq!(actors("socar.car")[0], "company");
}
