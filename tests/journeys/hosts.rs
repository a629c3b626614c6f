//! Several hosts on one Redis: they share the work, and none of them matters.

use std::collections::BTreeSet;

use harness::{Car, Mode, Platform, Reservation, Setup, confirmed};
use serde_json::json;

#[test]
fn what_a_killed_host_had_begun_another_ends() {
    let first = Setup::new(Mode::Redis).start();
    let second = first.another_host();
    let cars: Vec<Car> = (0..12)
        .map(|number| first.register_car(&format!("shared {number}")))
        .collect();
    let hosts = [&first, &second];
    let accepted = first.together(cars.len(), |index| hosts[index % 2].reserve(&cars[index]));
    // It has answered, and most of what follows from that is still to be done.
    second.kill();
    for (car, reservation) in cars.iter().zip(&accepted) {
        first.becomes(reservation, "reserved");
        first.car_becomes(car, "reserved");
        first.view_shows(car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
        first.messages_become(reservation, &[confirmed(car)]);
        assert_eq!(first.payments_of(reservation).len(), 1);
    }
    first.settle();
    for (car, reservation) in cars.iter().zip(&accepted) {
        assert_eq!(first.messages_of(reservation), [confirmed(car)]);
    }
}

#[test]
fn one_key_at_two_hosts_is_one_reservation() {
    let first = Setup::new(Mode::Redis).start();
    let second = first.another_host();
    let hosts = [&first, &second];
    for round in 0..5 {
        let car = first.register_car("wanted once");
        let key = format!("\"everywhere-{round}\"");
        let ids = first.together(8, |index| insist(hosts[index % 2], &car, &key));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "{ids:?}");
        let made = first.all("/reservations", |seen| seen["carId"] == car.id);
        assert_eq!(made.len(), 1, "{made:#?}");
        let reservation = Reservation::at(ids[0]);
        first.becomes(&reservation, "reserved");
        assert_eq!(first.payments_of(&reservation).len(), 1);
    }
}

/// Asks with a key until there is an answer other than "the first one is still at work".
fn insist(host: &Platform, car: &Car, key: &str) -> u64 {
    let ask = || {
        host.post("/reservations")
            .header("idempotency-key", key)
            .json(&json!({"carId": car.id}))
            .send()
    };
    let answer = harness::eventually(ask, |answer| answer.status != 409);
    answer.is(201).json()["rsvId"].as_u64().expect("an id")
}
