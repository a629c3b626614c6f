//! Do contexts in different deployments call each other over the network, with a token that they share?

use harness::{Mode, Platform, Setup};
use serde_json::json;

const TOKEN: &str = "shared-by-the-contexts";

/// A platform that other deployments may call with the token.
fn with_token() -> Platform {
    Setup::new(Mode::Embedded)
        .variable("context_token", TOKEN)
        .start()
}

/// The reservation context alone, whose calls go to the car and the payment context of `others`.
fn reservations_alone(others: &Platform, token: &str) -> Platform {
    let setup = Setup::new(Mode::Embedded)
        .argument("-c")
        .argument("reservation");
    setup
        .variable("car_url", others.url())
        .variable("payment_url", others.url())
        .variable("context_token", token)
        .start()
}

#[test]
fn a_reservation_holds_and_pays_over_the_network() {
    let others = with_token();
    let car = others.register_car("of another deployment");
    let order = json!({ "carId": car.id });
    let reservations = reservations_alone(&others, TOKEN);
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

#[test]
fn a_command_over_the_network_needs_the_token() {
    let others = with_token();
    let car = others.register_car("guarded");
    let hold = format!("/cars/internal/{}/hold", car.id);
    let send = |authorization: &str| {
        let request = others.post(&hold).header("authorization", authorization);
        request.json(&json!({ "rsvId": 1 })).send()
    };
    send("Bearer a guess").is(401);
    send("").is(401);
    others.get("/payments/internal/1").send().is(401);
    let sweep = others.post("/cars/internal/sweep");
    sweep
        .header("authorization", &format!("Bearer {TOKEN}"))
        .send()
        .is(404);
    others
        .post(&format!("/internal/cars/{}/hold", car.id))
        .send()
        .is(404);
    send(&format!("Bearer {TOKEN}")).is(200);

    let closed = Platform::shared(Mode::Embedded);
    closed.post("/cars/internal/1/hold").send().is(404);
}

#[test]
fn a_context_without_the_token_is_unavailable_and_changes_nothing() {
    let others = with_token();
    let car = others.register_car("no token");
    let order = json!({ "carId": car.id });
    for token in ["", "another-token"] {
        let reservations = reservations_alone(&others, token);
        let refused = reservations.post("/reservations").json(&order).send();
        refused.is(503).assert_retry_later();
    }
    others.wait_for_view(&car, &json!({ "carStatus": "available" }));
}

#[test]
fn an_operator_releases_a_car_whose_reservation_is_lost() {
    let platform = with_token();
    let car = platform.register_car("held for ever");
    let send = |command: &str| {
        let request = platform.post(&format!("/cars/internal/{}/{command}", car.id));
        let request = request.header("authorization", &format!("Bearer {TOKEN}"));
        request.json(&json!({ "rsvId": 4711 })).send()
    };
    send("hold").is(200);
    platform.try_reserve(&car).is(409);
    send("release").is(200);
    platform.reserve_and_confirm(&car);
}
