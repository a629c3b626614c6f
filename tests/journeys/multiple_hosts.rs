//! Do several hosts on one Redis share the work, so that the loss of one host loses nothing?

use harness::{Car, Mode, Setup, confirmation_text};
use serde_json::json;

use crate::idempotency::retry_until_created;

#[test]
fn a_second_host_completes_the_work_of_a_killed_one() {
    let first = Setup::new(Mode::Redis).start();
    let second = first.start_second_host();
    let cars: Vec<Car> = (0..12)
        .map(|number| first.register_car(&format!("shared {number}")))
        .collect();
    let hosts = [&first, &second];
    let accepted = first.concurrently(cars.len(), |index| hosts[index % 2].reserve(&cars[index]));
    // The host has responded, and most of the resulting events are still to be handled.
    second.kill();
    for (car, reservation) in cars.iter().zip(&accepted) {
        first.wait_for_status(reservation, "reserved");
        first.wait_for_car_status(car, "reserved");
        first.wait_for_view(car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
        first.wait_for_messages(reservation, &[confirmation_text(car)]);
        assert_eq!(first.payments_of(reservation).len(), 1);
    }
    first.drain_events();
    for (car, reservation) in cars.iter().zip(&accepted) {
        assert_eq!(first.messages_of(reservation), [confirmation_text(car)]);
    }
}

#[test]
fn one_key_at_two_hosts_is_one_reservation() {
    let first = Setup::new(Mode::Redis).start();
    let second = first.start_second_host();
    let hosts = [&first, &second];
    for round in 0..5 {
        let car = first.register_car("wanted once");
        let key = format!("\"key-{round}\"");
        let reservations =
            first.concurrently(8, |index| retry_until_created(hosts[index % 2], &car, &key));
        assert!(
            reservations
                .iter()
                .all(|reservation| *reservation == reservations[0]),
            "{reservations:?}"
        );
        let made = first.list("/reservations", |item| item["carId"] == car.id);
        assert_eq!(made.len(), 1, "{made:#?}");
        first.wait_for_status(&reservations[0], "reserved");
        assert_eq!(first.payments_of(&reservations[0]).len(), 1);
    }
}
