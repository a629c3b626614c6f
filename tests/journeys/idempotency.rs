//! `Idempotency-Key`: who asks again with the same key asks the same question, and gets one reservation. Even if whoever
//! was asked first did not live to answer. Two hosts that are asked at once are in [`crate::multiple_hosts`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::{Car, Mode, Platform, RequestBuilder, Reservation, Response, Setup, eventually};
use serde_json::json;

use crate::invariants;
use crate::load::kill_count;

harness::journeys!(
    an_idempotency_key_replays_the_first_response,
    an_idempotency_key_belongs_to_one_request,
    an_idempotency_key_wins_once_among_simultaneous_requests,
    a_key_has_one_reservation_after_kills_during_first_attempts,
);

fn an_idempotency_key_replays_the_first_response(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("asked twice");
    let ask = |key: &str| {
        let ask = platform
            .post("/reservations")
            .header("idempotency-key", key);
        ask.json(&json!({"carId": car.id, "status": "reqReserve"}))
            .send()
    };
    let first = ask("\"replayed\"").is(201);
    let replayed = ask("\"replayed\"").is(201);
    assert_eq!(replayed.json()["rsvId"], first.json()["rsvId"]);
    assert_eq!(replayed.header("location"), first.header("location"));

    // A refusal is an answer too.
    let refused = ask("\"refused\"");
    refused.problem(409, "car-not-available");
    let reservation = Reservation::from_response(&first);
    platform.wait_for_status(&reservation, "reserved");
    platform.cancel_and_wait(&reservation, &car);
    let replayed = ask("\"refused\"");
    assert_eq!(replayed.problem(409, "car-not-available"), refused.json());
    assert_eq!(ask("\"replayed\"").is(201).json()["rsvId"], reservation.id);
    let of_car = platform.list("/reservations", |seen| seen["carId"] == car.id);
    assert_eq!(of_car.len(), 2, "{of_car:#?}");
}

fn an_idempotency_key_belongs_to_one_request(mode: Mode) {
    let platform = Platform::shared(mode);
    let (car, other) = (platform.register_car("one"), platform.register_car("other"));
    let ask = |key: &str, car: &Car| {
        let ask = platform
            .post("/reservations")
            .header("idempotency-key", key);
        ask.json(&json!({"carId": car.id})).send()
    };
    ask("\"one request\"", &car).is(201);
    ask("\"one request\"", &other).problem(422, "idempotency-key-reuse");
    assert_eq!(platform.get_json(&other.path)["status"], "available");
    ask("\"another request\"", &other).is(201);
}

fn an_idempotency_key_wins_once_among_simultaneous_requests(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("double click");
    let responses = platform.concurrently(20, |_| {
        let ask = platform
            .post("/reservations")
            .header("idempotency-key", "\"double click\"");
        ask.json(&json!({"carId": car.id})).send()
    });
    for response in responses.iter().filter(|response| response.status != 201) {
        response.problem(409, "idempotency-in-progress");
    }
    assert!(
        responses.iter().any(|response| response.status == 201),
        "{}",
        responses[0]
    );
    let of_car = platform.list("/reservations", |seen| seen["carId"] == car.id);
    assert_eq!(of_car.len(), 1, "{of_car:#?}");
    for response in responses.iter().filter(|response| response.status == 201) {
        assert_eq!(response.json()["rsvId"], of_car[0]["rsvId"], "{response}");
    }
}

/// Everybody asks once, and the host dies when so many of them have their answer: the others' attempts end anywhere.
fn a_key_has_one_reservation_after_kills_during_first_attempts(mode: Mode) {
    let mut platform = Setup::new(mode).start();
    for round in 0..kill_count() {
        let requests: Vec<(Car, String)> = (0..8)
            .map(|number| {
                let car = platform.register_car(&format!("wished for {number}"));
                (car, format!("\"wish {number} of round {round}\""))
            })
            .collect();
        let heard = kill_during(&platform, &requests, fastrand::usize(0..4));
        platform = platform.restart();
        let retry_until_created = |index: usize| {
            let (car, key) = &requests[index];
            retry_until_created(&platform, car, key)
        };
        let reservations = platform.concurrently(requests.len(), retry_until_created);
        for (((car, _), reservation), heard) in requests.iter().zip(&reservations).zip(heard) {
            assert!(
                heard.is_none_or(|heard| heard == *reservation),
                "another one than was told"
            );
            platform.wait_for_status(reservation, "reserved");
            let of_car = platform.list("/reservations", |seen| seen["carId"] == car.id);
            // An attempt that was interrupted may have left a rejected one.
            let standing = of_car.iter().filter(|seen| seen["status"] != "rejected");
            assert_eq!(standing.count(), 1, "{of_car:#?}");
        }
        let cars: Vec<Car> = requests.into_iter().map(|(car, _)| car).collect();
        invariants::assert_hold(&platform, &cars);
    }
}

/// Kills the platform when at least so many requests were heard; returns what came of each.
fn kill_during(
    platform: &Platform,
    requests: &[(Car, String)],
    responses: usize,
) -> Vec<Option<Reservation>> {
    let heard = AtomicUsize::new(0);
    thread::scope(|scope| {
        let customers: Vec<_> = requests
            .iter()
            .map(|(car, key)| {
                let heard = &heard;
                scope.spawn(move || {
                    let response = wish(platform, car, key).try_send().ok()?;
                    heard.fetch_add(1, Ordering::Relaxed);
                    (response.status == 201).then(|| Reservation::from_response(&response))
                })
            })
            .collect();
        // With none to wait for, it dies somewhere in the first of them.
        thread::sleep(Duration::from_millis(fastrand::u64(0..30)));
        eventually(
            || heard.load(Ordering::Relaxed),
            |count| *count >= responses,
        );
        platform.kill();
        let ended = customers
            .into_iter()
            .map(|customer| customer.join().expect("no panic"));
        ended.collect()
    })
}

fn wish(host: &Platform, car: &Car, key: &str) -> RequestBuilder {
    let ask = host.post("/reservations").header("idempotency-key", key);
    ask.json(&json!({"carId": car.id}))
}

/// Asks with a key until there is an answer other than "come again".
pub fn retry_until_created(host: &Platform, car: &Car, key: &str) -> Reservation {
    let comes_again = |response: &Response| {
        response.status == 503
            || response.json()["type"] == "https://socar.dev/problems/idempotency-in-progress"
    };
    let response = eventually(
        || wish(host, car, key).send(),
        |response| !comes_again(response),
    );
    Reservation::from_response(&response.is(201))
}
