//! Does one `Idempotency-Key` make exactly one reservation, also when the host crashes during the first attempt?
//! Concurrent requests to two hosts are in [`crate::multiple_hosts`].

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
    let car = platform.register_car("retried");
    let reserve = |key: &str| {
        let request = platform
            .post("/reservations")
            .header("idempotency-key", key);
        request
            .json(&json!({"carId": car.id, "status": "reqReserve"}))
            .send()
    };
    let first = reserve("\"replayed\"").is(201);
    let replayed = reserve("\"replayed\"").is(201);
    assert_eq!(replayed.json()["rsvId"], first.json()["rsvId"]);
    assert_eq!(replayed.header("location"), first.header("location"));

    // A refusal is replayed, too.
    let refused = reserve("\"refused\"");
    refused.problem(409, "car-not-available");
    let reservation = Reservation::from_response(&first);
    platform.wait_for_status(&reservation, "reserved");
    platform.cancel_and_wait(&reservation, &car);
    let replayed = reserve("\"refused\"");
    assert_eq!(replayed.problem(409, "car-not-available"), refused.json());
    assert_eq!(
        reserve("\"replayed\"").is(201).json()["rsvId"],
        reservation.id
    );
    let of_car = platform.list("/reservations", |item| item["carId"] == car.id);
    assert_eq!(of_car.len(), 2, "{of_car:#?}");
}

fn an_idempotency_key_belongs_to_one_request(mode: Mode) {
    let platform = Platform::shared(mode);
    let (car, other) = (platform.register_car("one"), platform.register_car("other"));
    let reserve = |key: &str, car: &Car| {
        let request = platform
            .post("/reservations")
            .header("idempotency-key", key);
        request.json(&json!({"carId": car.id})).send()
    };
    reserve("\"one request\"", &car).is(201);
    reserve("\"one request\"", &other).problem(422, "idempotency-key-reuse");
    assert_eq!(platform.get_json(&other.path)["status"], "available");
    reserve("\"another request\"", &other).is(201);
}

fn an_idempotency_key_wins_once_among_simultaneous_requests(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("double click");
    let responses = platform.concurrently(20, |_| {
        let request = platform
            .post("/reservations")
            .header("idempotency-key", "\"double click\"");
        request.json(&json!({"carId": car.id})).send()
    });
    for response in responses.iter().filter(|response| response.status != 201) {
        response.problem(409, "idempotency-in-progress");
    }
    assert!(
        responses.iter().any(|response| response.status == 201),
        "{}",
        responses[0]
    );
    let of_car = platform.list("/reservations", |item| item["carId"] == car.id);
    assert_eq!(of_car.len(), 1, "{of_car:#?}");
    for response in responses.iter().filter(|response| response.status == 201) {
        assert_eq!(response.json()["rsvId"], of_car[0]["rsvId"], "{response}");
    }
}

/// Every customer sends one request, and the host is killed after a random number of responses: the other attempts
/// are interrupted at random points.
fn a_key_has_one_reservation_after_kills_during_first_attempts(mode: Mode) {
    let mut platform = Setup::new(mode).start();
    for round in 0..kill_count() {
        let requests: Vec<(Car, String)> = (0..8)
            .map(|number| {
                let car = platform.register_car(&format!("keyed {number}"));
                (car, format!("\"key {number} of round {round}\""))
            })
            .collect();
        let reported = kill_during(&platform, &requests, fastrand::usize(0..4));
        platform = platform.restart();
        let reservations = platform.concurrently(requests.len(), |index| {
            let (car, key) = &requests[index];
            retry_until_created(&platform, car, key)
        });
        for (((car, _), reservation), reported) in requests.iter().zip(&reservations).zip(reported)
        {
            assert!(
                reported.is_none_or(|reported| reported == *reservation),
                "a retry made another reservation"
            );
            platform.wait_for_status(reservation, "reserved");
            let of_car = platform.list("/reservations", |item| item["carId"] == car.id);
            // An interrupted attempt may have left a rejected reservation.
            let standing = of_car.iter().filter(|item| item["status"] != "rejected");
            assert_eq!(standing.count(), 1, "{of_car:#?}");
        }
        let cars: Vec<Car> = requests.into_iter().map(|(car, _)| car).collect();
        invariants::assert_hold(&platform, &cars);
    }
}

/// Kills the platform after at least this many responses; returns the reservation that each response reported.
fn kill_during(
    platform: &Platform,
    requests: &[(Car, String)],
    min_responses: usize,
) -> Vec<Option<Reservation>> {
    let response_count = AtomicUsize::new(0);
    thread::scope(|scope| {
        let customers: Vec<_> = requests
            .iter()
            .map(|(car, key)| {
                let response_count = &response_count;
                scope.spawn(move || {
                    let response = keyed_request(platform, car, key).try_send().ok()?;
                    response_count.fetch_add(1, Ordering::Relaxed);
                    (response.status == 201).then(|| Reservation::from_response(&response))
                })
            })
            .collect();
        // With no response to wait for, the kill happens during the first requests.
        thread::sleep(Duration::from_millis(fastrand::u64(0..30)));
        eventually(
            || response_count.load(Ordering::Relaxed),
            |count| *count >= min_responses,
        );
        platform.kill();
        let ended = customers
            .into_iter()
            .map(|customer| customer.join().expect("no panic"));
        ended.collect()
    })
}

fn keyed_request(host: &Platform, car: &Car, key: &str) -> RequestBuilder {
    let request = host.post("/reservations").header("idempotency-key", key);
    request.json(&json!({"carId": car.id}))
}

/// Repeats a request with its key until the response is neither 503 nor "in progress".
pub fn retry_until_created(host: &Platform, car: &Car, key: &str) -> Reservation {
    let is_temporary = |response: &Response| {
        response.status == 503
            || response.json()["type"] == "https://socar.dev/problems/idempotency-in-progress"
    };
    let response = eventually(
        || keyed_request(host, car, key).send(),
        |response| !is_temporary(response),
    );
    Reservation::from_response(&response.is(201))
}
