//! Do contexts in different deployments call each other over the network, with tokens that they sign with a shared key?

use harness::{Mode, Platform, Setup, platform_authorization};
use platform_token::SigningKeys;
use serde_json::json;

const KEY: &str = "shared-by-the-contexts";

/// A platform that other deployments may call with this key.
fn with_key() -> Platform {
    Setup::new(Mode::Embedded)
        .variable("context_token", KEY)
        .start()
}

/// The reservation context alone, whose calls go to the car and the payment context of `others`.
fn reservations_alone(others: &Platform, key: &str) -> Platform {
    let setup = Setup::new(Mode::Embedded)
        .argument("-c")
        .argument("reservation");
    setup
        .variable("car_url", others.url())
        .variable("payment_url", others.url())
        .variable("context_token", key)
        .start()
}

#[test]
fn a_reservation_holds_and_pays_over_the_network() {
    let others = with_key();
    let car = others.register_car("of another deployment");
    let order = json!({ "carId": car.id });
    let reservations = reservations_alone(&others, KEY);
    reservations
        .post("/reservations")
        .json(&order)
        .send()
        .is(201);
    let payments = others.get("/payments").send().is(200).json();
    assert_eq!(payments["_embedded"]["payments"][0]["carId"], car.id);
    // A held car is refused by the car context, not by the network.
    let refused = reservations
        .post("/reservations")
        .json(&order)
        .send()
        .is(409);
    assert_eq!(refused.json()["reason"], "car-not-available");
}

/// Each platform has an identity of its own; what they share is the key.
#[test]
fn contexts_of_platforms_with_identity_call_each_other_for_a_customer() {
    let with_identity = |setup: Setup| setup.argument("--identity").argument("local");
    let others = Setup::new(Mode::Embedded).variable("context_token", KEY);
    let others = with_identity(others).start();
    let car = others
        .signed_in("host", "company")
        .register_car("of another deployment");
    let reservations = Setup::new(Mode::Embedded)
        .argument("-c")
        .argument("reservation")
        .variable("car_url", others.url())
        .variable("payment_url", others.url())
        .variable("context_token", KEY);
    let reservations = with_identity(reservations).start();
    let alice = reservations.signed_in("customer", "alice");
    alice.reserve(&car);
    let payments_of = |subject: &str| {
        let user = others.signed_in("customer", subject);
        user.list("/payments", |payment| payment["carId"] == car.id)
    };
    let payments = payments_of("alice");
    assert_eq!(payments[0]["customerId"], "alice", "{payments:?}");
    assert!(payments_of("bob").is_empty());
}

#[test]
fn a_command_over_the_network_needs_a_token_for_its_context() {
    let others = with_key();
    let car = others.register_car("guarded");
    let hold = format!("/cars/internal/{}/hold", car.id);
    let send = |authorization: &str| {
        let request = others.post(&hold).header("authorization", authorization);
        request.json(&json!({ "rsvId": 1 })).send()
    };
    let signed_at = |now: u64| {
        let keys = SigningKeys::read(KEY).expect("a key");
        format!("Bearer {}", keys.sign("car", now))
    };
    let now = access_token::now();
    let of_car = platform_authorization(KEY, "car");
    for refused in [
        "",
        "Bearer a guess",
        // The key itself, which was the token once.
        &format!("Bearer {KEY}"),
        &platform_authorization("a guess", "car"),
        // A token that another context received.
        &platform_authorization(KEY, "payment"),
        // Tokens that have expired, and that are not to be valid yet.
        &signed_at(now - 125),
        &signed_at(now + 125),
    ] {
        send(refused).is(401);
    }
    others.get("/payments/internal/1").send().is(401);
    let replayed = others.get("/payments/internal/1");
    replayed.header("authorization", &of_car).send().is(401);
    let sweep = others.post("/cars/internal/sweep");
    sweep.header("authorization", &of_car).send().is(404);
    others
        .post(&format!("/internal/cars/{}/hold", car.id))
        .send()
        .is(404);
    send(&of_car).is(200);
    send(&signed_at(now - 50)).is(200);

    let closed = Platform::shared(Mode::Embedded);
    closed.post("/cars/internal/1/hold").send().is(404);
}

#[test]
fn a_context_without_the_key_is_unavailable_and_changes_nothing() {
    let others = with_key();
    let car = others.register_car("no token");
    let order = json!({ "carId": car.id });
    for key in ["", "another-key"] {
        let reservations = reservations_alone(&others, key);
        let refused = reservations.post("/reservations").json(&order).send();
        refused.is(503).assert_retry_later();
    }
    others.wait_for_view(&car, &json!({ "carStatus": "available" }));
}

#[test]
fn an_operator_releases_a_car_whose_reservation_is_lost() {
    let platform = with_key();
    let car = platform.register_car("held for ever");
    let send = |command: &str| {
        let request = platform.post(&format!("/cars/internal/{}/{command}", car.id));
        let request = request.header("authorization", &platform_authorization(KEY, "car"));
        request.json(&json!({ "rsvId": 4711 })).send()
    };
    send("hold").is(200);
    platform.try_reserve(&car).is(409);
    send("release").is(200);
    platform.reserve_and_confirm(&car);
}

/// The deployments change their keys one after the other, and no reservation fails.
#[test]
fn keys_are_rotated_while_contexts_call_each_other() {
    let (old, new) = ("the-old-key", "the-new-key");
    let others = Setup::new(Mode::Embedded);
    let others = others.variable("context_token", &format!("{new}\n{old}"));
    let others = others.start();
    for key in [old, &format!("{old}\n{new}"), new] {
        let car = others.register_car("rotation");
        let reservations = reservations_alone(&others, key);
        let order = json!({ "carId": car.id });
        reservations
            .post("/reservations")
            .json(&order)
            .send()
            .is(201);
    }
}

#[test]
fn no_token_of_a_user_is_a_token_of_the_platform() {
    let others = Setup::new(Mode::Embedded).variable("context_token", KEY);
    let others = others.argument("--identity").argument("local").start();
    let car = others.signed_in("host", "company").register_car("guarded");
    let operator = others.signed_in("operator", "olga");
    let hold = operator.post(&format!("/cars/internal/{}/hold", car.id));
    hold.json(&json!({ "rsvId": 1 }))
        .send()
        .problem(401, "unauthorised");
    // And a token of the platform is no user: at the context that it names it may read, and nowhere else.
    let status = |path: &str| {
        let request = others.get(path);
        let request = request.header("authorization", &platform_authorization(KEY, "car"));
        request.send().status
    };
    assert_eq!(status("/cars"), 200);
    assert_eq!(status("/payments"), 401);
    let admin = others.with_token(&platform_authorization(KEY, "car")["Bearer ".len()..]);
    let reset = admin.admin().request(http::Method::POST, "/breakers/reset");
    reset
        .json(&json!({"link": "reservation -> payment"}))
        .send()
        .is(401);
}
