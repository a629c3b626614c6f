//! Do several hosts on one Redis share the work, so that the loss of one host loses nothing?

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{Car, Mode, Platform, RedisServer, Setup, confirmation_text};
use serde_json::json;
use tempfile::TempDir;

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

#[test]
fn a_copied_state_directory_gets_a_host_of_its_own_name() {
    let redis = Arc::new(RedisServer::start());
    let first = Setup::new(Mode::Redis).on(&redis).start();
    let known = first.register_car("known");
    first.wait_for_view(&known, &json!({"carStatus": "available"}));
    let copy = Arc::new(TempDir::with_prefix("socar-copy-").expect("a directory"));
    let mut copied = Command::new("cp");
    copied
        .arg("-a")
        .arg(first.state_dir().join("."))
        .arg(copy.path());
    assert!(copied.status().expect("cp").success());
    let second = Setup::new(Mode::Redis)
        .on(&redis)
        .in_state_dir(&copy)
        .start();
    let name = |platform: &Platform| {
        std::fs::read_to_string(platform.state_dir().join("host-id")).expect("a name")
    };
    assert_ne!(name(&first), name(&second));
    let hosts = [&first, &second];
    let cars: Vec<Car> = (0..20)
        .map(|number| hosts[number % 2].register_car(&format!("car {number}")))
        .collect();
    for (number, car) in cars.iter().enumerate() {
        hosts[number % 2].reserve_and_confirm(car);
    }
    for host in hosts {
        for car in &cars {
            host.wait_for_view(car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
        }
        assert!(!host.output().contains("taken over"), "{}", host.output());
    }
}

#[test]
fn a_killed_host_keeps_its_name() {
    let first = Setup::new(Mode::Redis).start();
    let name = || std::fs::read_to_string(first.state_dir().join("host-id")).expect("a name");
    let before = name();
    first.kill();
    let began = Instant::now();
    let again = first.restart();
    // It does not wait for the lease of its predecessor.
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(name(), before);
    drop(again);
}

#[test]
fn a_lease_of_a_process_that_has_ended_ends_no_host() {
    let redis = Arc::new(RedisServer::start());
    let host = Setup::new(Mode::Redis).on(&redis).start();
    let name = std::fs::read_to_string(host.state_dir().join("host-id")).expect("a name");
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("a Redis");
    // As after a restore of the data of the server.
    let mut restore = redis::cmd("SET");
    restore.arg(format!("socar.log:host:{}", name.trim()));
    restore.arg("gone").arg("PX").arg(18_000);
    restore.query::<String>(&mut connection).expect("done");
    // Longer than the host takes to renew its lease.
    std::thread::sleep(Duration::from_secs(8));
    host.register_car("still there");
}
