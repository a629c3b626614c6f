//! Several hosts on one Redis: they share the work, and none of them matters.

use harness::{Car, Mode, Setup, confirmed};
use serde_json::json;

use crate::idempotency::insist;

#[test]
fn what_a_killed_host_had_begun_another_ends() {
    let first = Setup::new(Mode::Redis).start();
    let second = first.start_second_host();
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
    let second = first.start_second_host();
    let hosts = [&first, &second];
    for round in 0..5 {
        let car = first.register_car("wanted once");
        let key = format!("\"everywhere-{round}\"");
        let told = first.together(8, |index| insist(hosts[index % 2], &car, &key));
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        let made = first.all("/reservations", |seen| seen["carId"] == car.id);
        assert_eq!(made.len(), 1, "{made:#?}");
        first.becomes(&told[0], "reserved");
        assert_eq!(first.payments_of(&told[0]).len(), 1);
    }
}
