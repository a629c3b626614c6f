//! Is what one user may have, and make the platform keep, bounded, whatever arrives at the same instant?

use std::sync::Barrier;
use std::thread;

use harness::{Car, Mode, Platform, Reservation, Response, Setup, TokenIssuer, eventually};
use serde_json::json;

harness::journeys!(simultaneous_requests_do_not_exceed_the_limit_of_a_customer);

/// The limit of the tests.
const LIMIT: usize = 3;

/// The requests that arrive at the same instant.
const REQUESTS: usize = 12;

fn simultaneous_requests_do_not_exceed_the_limit_of_a_customer(mode: Mode) {
    let platform = Setup::new(mode)
        .argument("--identity")
        .argument("local")
        .variable("reservation_limit", &LIMIT.to_string())
        .start();
    let user = |role: &str, subject: &str| platform.signed_in(role, subject);
    limit_holds(
        &user("host", "company"),
        &user("customer", "alice"),
        &user("customer", "bob"),
    );
}

/// As on stock Spin: each context knows the customer by itself.
#[test]
fn the_limit_holds_where_the_components_verify_tokens() {
    let issuer = TokenIssuer::start();
    let platform = Setup::new(Mode::Embedded)
        .verified_by_components(&issuer.url(), &issuer.public_keys())
        .variable("reservation_limit", &LIMIT.to_string())
        .start();
    let user = |role: &str, subject: &str| platform.with_token(&issuer.token(role, subject));
    limit_holds(
        &user("host", "company"),
        &user("customer", "alice"),
        &user("customer", "bob"),
    );
}

fn limit_holds(company: &Platform, alice: &Platform, bob: &Platform) {
    let cars: Vec<_> = (0..REQUESTS)
        .map(|number| company.register_car(&format!("limit {number}")))
        .collect();
    let answers = reserve_at_once(alice, &cars);
    let (accepted, refused): (Vec<_>, Vec<_>) = answers
        .iter()
        .zip(&cars)
        .partition(|(answer, _)| answer.status == 201);
    assert_eq!(accepted.len(), LIMIT, "{answers:?}");
    for (answer, _) in &refused {
        let problem = answer.problem(409, "reservation-limit");
        assert_eq!(problem["limit"], LIMIT);
    }
    let list = alice.get_json("/reservations");
    assert_eq!(list["page"]["totalElements"], LIMIT);
    // What was refused is free for others.
    let (_, free) = refused[0];
    bob.reserve_and_confirm(free);

    let (answer, car) = accepted[0];
    let reservation = Reservation::from_response(answer);
    alice.wait_for_status(&reservation, "reserved");
    alice.try_reserve(car).problem(409, "reservation-limit");
    alice.cancel(&reservation);
    eventually(|| alice.try_reserve(car), |answer| answer.status == 201);
}

fn reserve_at_once(user: &Platform, cars: &[Car]) -> Vec<Response> {
    let start = Barrier::new(cars.len());
    let reserve = |car| {
        start.wait();
        user.try_reserve(car)
    };
    thread::scope(|scope| {
        let running: Vec<_> = cars
            .iter()
            .map(|car| scope.spawn(move || reserve(car)))
            .collect();
        let answers = running.into_iter().map(thread::ScopedJoinHandle::join);
        answers.map(|answer| answer.expect("an answer")).collect()
    })
}

#[test]
fn one_client_that_sends_too_many_bytes_waits_and_others_do_not() {
    let setup = Setup::new(Mode::Embedded).manifest(|manifest| {
        let limits = "client_bytes = \"64KiB\"\ntrusted_proxies = [";
        manifest.replacen("trusted_proxies = [", limits, 1)
    });
    let platform = setup.argument("--identity").argument("local").start();
    let (company, other) = (
        platform.signed_in("host", "company"),
        platform.signed_in("host", "other"),
    );
    let register = |user: &Platform| {
        let car = json!({"carName": "x".repeat(100)});
        user.post("/cars").json(&car).send()
    };
    let answers: Vec<_> = (0..20).map(|_| register(&company)).collect();
    let refused = answers.iter().find(|answer| answer.status == 429);
    let refused = refused.expect("a refusal");
    refused.problem(429, "too-many-requests");
    let policy = "\"bytes\";q=65536;qu=\"content-bytes\";w=3600";
    assert_eq!(refused.header("ratelimit-policy"), policy);
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=240).contains(&wait), "{wait}");
    assert!(answers[..15].iter().all(|answer| answer.status == 201));
    // Reading keeps nothing.
    company.get("/cars").send().is(200);
    register(&other).is(201);
    let metrics = platform.admin().metrics();
    let refusals = "socar_listener_refused_total{reason=\"byte-limited\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(refusals));
    let count: f64 = count.and_then(|it| it.parse().ok()).expect("a count");
    assert!(count >= 1.0, "{count}");
}

#[test]
fn requests_with_bad_tokens_count_for_the_address_that_sends_them() {
    let setup = Setup::new(Mode::Embedded).manifest(|manifest| {
        let limits = "client_rate = 1\nclient_burst = 5\ntrusted_proxies = [";
        manifest.replacen("trusted_proxies = [", limits, 1)
    });
    let platform = setup.argument("--identity").argument("local").start();
    let company = platform.signed_in("host", "company");
    let guess = || {
        let request = platform.get("/cars");
        request.header("authorization", "Bearer guessed").send()
    };
    let answers: Vec<_> = (0..20).map(|_| guess().status).collect();
    assert_eq!(answers[..5], [401; 5]);
    assert!(answers[5..].contains(&429), "{answers:?}");
    company.get("/cars").send().is(200);
}
