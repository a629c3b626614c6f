//! Is what one user may have bounded, whatever arrives at the same instant?

use std::sync::Barrier;
use std::thread;

use harness::{Car, Mode, Platform, Reservation, Response, Setup, TokenIssuer, eventually};
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
