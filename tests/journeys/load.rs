//! Do the invariants hold after load? Many customers reserve few cars at once and cancel again; afterwards, when
//! all work is complete, every invariant is checked.
//!
//! `SOCAR_KILLS=100 cargo test -p tests --test journeys after_kills` kills more often than everyday tests have time
//! for. No two kills hit the same moment, so a run cannot be repeated; the output of the host shows what happened.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{
    Car, Mode, Platform, RequestBuilder, Reservation, Response, Setup, Stop, eventually,
    in_background,
};
use http::Method;
use parking_lot::Mutex;
use serde_json::json;

use crate::invariants;

harness::journeys!(
    every_invariant_holds_after_concurrent_reservations,
    every_invariant_holds_after_kills_under_load,
    every_invariant_holds_after_full_disks_under_load,
);

const CUSTOMERS: usize = 12;
const ROUNDS: usize = 6;

/// Three times the deadline of a call, because a busy machine adds delays of its own.
pub const MAX_RESPONSE_TIME: Duration = Duration::from_secs(15);

fn every_invariant_holds_after_concurrent_reservations(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = register_cars(&platform);
    platform.concurrently(CUSTOMERS, |customer| {
        for round in 0..ROUNDS {
            let response = platform.try_reserve(&cars[(customer + round) % cars.len()]);
            assert_expected(&response);
            if response.status == 201 && (customer + round) % 3 != 0 {
                // Before the confirmation, a cancellation is a conflict; it is repeated until it is accepted.
                eventually(
                    || cancel_request(&platform, &response).send(),
                    |cancelled| cancelled.status == 200,
                );
            }
        }
    });
    let made = invariants::assert_hold(&platform, &cars);
    assert!(
        made >= ROUNDS,
        "{made} reservations are too few to load the platform"
    );
}

/// Each kill follows a random number of responses, so it hits another moment in every round and in every run.
fn every_invariant_holds_after_kills_under_load(mode: Mode) {
    let mut platform = Setup::new(mode).start();
    let cars = register_cars(&platform);
    let load = CustomerLoad::default();
    for _ in 0..kill_count() {
        load.run_while(&platform, &cars, || {
            load.wait_for_responses(fastrand::usize(3..60));
            platform.kill();
        });
        platform = platform.restart();
    }
    let made = invariants::assert_hold(&platform, &cars);
    assert!(
        made >= 3,
        "{made} reservations are too few to load the platform"
    );
    load.assert_acknowledged(&platform);
}

/// No file can grow for a moment. What was confirmed before and meanwhile stays, and the host recovers by itself.
fn every_invariant_holds_after_full_disks_under_load(mode: Mode) {
    let platform = Setup::new(mode).start();
    let cars = register_cars(&platform);
    let load = CustomerLoad::default();
    // With Redis, the host has only the view on its disk.
    let log = platform.state_dir().join(match mode {
        Mode::Embedded => "socar.db-wal",
        Mode::Redis => "sqlite/viewpage.db-wal",
    });
    let unanswered = load.run_while(&platform, &cars, || {
        for _ in 0..kill_count() {
            load.wait_for_responses(fastrand::usize(3..60));
            // First there is room for small writes, then for none.
            let size = std::fs::metadata(&log).map_or(0, |log| log.len());
            platform.limit_file_size(Some(size / 8));
            load.wait_for_responses(fastrand::usize(3..60));
            platform.limit_file_size(Some(0));
            let is_ready = || platform.get("/readyz").send().status == 200;
            eventually(is_ready, |is_ready| !is_ready);
            load.wait_for_responses(fastrand::usize(3..60));
            if mode == Mode::Embedded {
                // It does not wait until the disk has room.
                let reload = || platform.admin().request(Method::POST, "/reload").send();
                eventually(|| reload().status, |status| *status == 422);
            }
            platform.get("/carviews").send().is(200);
            platform.limit_file_size(None);
            eventually(is_ready, |is_ready| *is_ready);
            load.wait_for_success();
        }
    });
    assert_eq!(unanswered, [""; 0], "every request gets a response");
    let made = invariants::assert_hold(&platform, &cars);
    assert!(
        made >= kill_count(),
        "{made} reservations are too few to load the platform"
    );
    load.assert_acknowledged(&platform);
}

/// The number of kills: `SOCAR_KILLS`, or three.
pub fn kill_count() -> usize {
    let value = std::env::var("SOCAR_KILLS").ok();
    value.map_or(3, |kills| kills.parse().expect("SOCAR_KILLS is a number"))
}

/// The cars that all customers reserve.
pub fn register_cars(platform: &Platform) -> Vec<Car> {
    (0..4)
        .map(|number| platform.register_car(&format!("contended {number}")))
        .collect()
}

/// Customers that reserve and cancel until they are stopped or get no response.
#[derive(Default)]
pub struct CustomerLoad {
    response_count: AtomicUsize,
    acknowledged: Mutex<Vec<Acknowledged>>,
}

/// A result that a customer received and may rely on.
#[derive(Debug)]
enum Acknowledged {
    Reserved(Reservation),
    Cancelled(Reservation),
}

impl CustomerLoad {
    /// Runs `action` under load. Returns the errors of the customers that got no response.
    pub fn run_while(
        &self,
        platform: &Platform,
        cars: &[Car],
        action: impl FnOnce(),
    ) -> Vec<String> {
        let run_customer =
            |customer, stop: &Stop| self.run_customer(platform, cars, customer, stop);
        let (results, ()) = in_background(CUSTOMERS, run_customer, action);
        results.into_iter().filter_map(Result::err).collect()
    }

    /// Waits for this many further responses.
    pub fn wait_for_responses(&self, responses: usize) {
        let enough = self.response_count.load(Ordering::Relaxed) + responses;
        eventually(
            || self.response_count.load(Ordering::Relaxed),
            |count| *count >= enough,
        );
    }

    /// Waits until one more customer gets a car.
    pub fn wait_for_success(&self) {
        let before = self.acknowledged.lock().len();
        eventually(|| self.acknowledged.lock().len(), |count| *count > before);
    }

    /// Checks that no acknowledged result was lost. Call it when all work is complete.
    pub fn assert_acknowledged(&self, platform: &Platform) {
        for result in self.acknowledged.lock().iter() {
            match result {
                Acknowledged::Cancelled(reservation) => {
                    platform.wait_for_status(reservation, "cancelled");
                }
                // A cancellation without a response may have been executed all the same.
                Acknowledged::Reserved(reservation) => {
                    let status = &platform.get_json(&reservation.path)["status"];
                    assert!(
                        status == "reserved" || status == "cancelled",
                        "{result:?}: {status}"
                    );
                }
            }
        }
    }

    fn run_customer(
        &self,
        platform: &Platform,
        cars: &[Car],
        customer: usize,
        stop: &Stop,
    ) -> Result<(), String> {
        for round in 0.. {
            if stop.is_set() {
                break;
            }
            let car = &cars[(customer + round) % cars.len()];
            let request = platform.post("/reservations");
            let response = self.send(request.json(&json!({"carId": car.id})))?;
            if response.status == 201 {
                let accepted = Acknowledged::Reserved(Reservation::from_response(&response));
                self.acknowledged.lock().push(accepted);
                self.cancel_until_accepted(platform, &response, stop)?;
            }
        }
        Ok(())
    }

    /// Before the confirmation, a cancellation is a conflict. It is repeated until it is accepted, so that another
    /// customer gets the car.
    fn cancel_until_accepted(
        &self,
        platform: &Platform,
        accepted: &Response,
        stop: &Stop,
    ) -> Result<(), String> {
        while !stop.is_set() {
            let response = self.send(cancel_request(platform, accepted))?;
            if response.status == 200 {
                let cancelled = Acknowledged::Cancelled(Reservation::from_response(&response));
                self.acknowledged.lock().push(cancelled);
                break;
            }
        }
        Ok(())
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, String> {
        let started = Instant::now();
        let response = request.try_send()?;
        self.response_count.fetch_add(1, Ordering::Relaxed);
        assert_expected(&response);
        let elapsed = started.elapsed();
        assert!(elapsed < MAX_RESPONSE_TIME, "after {elapsed:?}: {response}");
        if response.status == 503 {
            // A tenth of what `Retry-After` asks for, to keep up the load.
            thread::sleep(Duration::from_millis(100));
        }
        Ok(response)
    }
}

/// Whatever happens to the platform, a customer gets the car, a conflict or a 503, and never a 500.
fn assert_expected(response: &Response) {
    match response.status {
        200 | 201 | 409 => {}
        503 => response.assert_retry_later(),
        // A machine that is too slow for the load exceeds some deadlines.
        504 => {}
        _ => panic!("{response}"),
    }
}

/// A request to cancel the reservation of this response.
fn cancel_request(platform: &Platform, accepted: &Response) -> RequestBuilder {
    let request = platform.patch(&Reservation::from_response(accepted).path);
    request.json(&json!({"status": "reqCancel"}))
}
