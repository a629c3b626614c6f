//! Many customers want few cars at once and change their minds. Afterwards, when all is quiet, every promise holds.
//!
//! `SOCAR_KILLS=100 cargo test -p tests --test journeys after_kills` kills more often than everyday tests have time for. No
//! two kills hit the same moment, so a run cannot be repeated; what broke is in the output of the host.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Car, Mode, Platform, RequestBuilder, Reservation, Response, Setup, eventually};
use parking_lot::Mutex;
use serde_json::json;

use crate::invariants;

harness::journeys!(
    every_invariant_holds_after_concurrent_reservations,
    every_invariant_holds_after_kills_under_load
);

const CUSTOMERS: usize = 12;
const ROUNDS: usize = 6;

/// Three times the deadline: a busy machine needs some time around it, and who hangs needs more.
pub const MAX_RESPONSE_TIME: Duration = Duration::from_secs(15);

fn every_invariant_holds_after_concurrent_reservations(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = register_cars(&platform);
    platform.concurrently(CUSTOMERS, |customer| {
        for round in 0..ROUNDS {
            let response = platform.try_reserve(&cars[(customer + round) % cars.len()]);
            assert_expected(&response);
            if response.status == 201 && (customer + round) % 3 != 0 {
                // Before the confirmation it is a conflict: it is asked for until it is accepted.
                eventually(
                    || cancel_request(&platform, &response).send(),
                    |given_up| given_up.status == 200,
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

/// Each kill comes after so many answers: at another moment of the story every time, and of every run.
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

/// How often a storm is interrupted: a few times, or as often as `SOCAR_KILLS` says.
pub fn kill_count() -> usize {
    let said = std::env::var("SOCAR_KILLS").ok();
    said.map_or(3, |kills| kills.parse().expect("SOCAR_KILLS is a number"))
}

/// The cars that everybody wants.
pub fn register_cars(platform: &Platform) -> Vec<Car> {
    (0..4)
        .map(|number| platform.register_car(&format!("contended {number}")))
        .collect()
}

/// Customers who reserve and give up until the storm is over or nobody answers any more.
#[derive(Default)]
pub struct CustomerLoad {
    is_stopped: AtomicBool,
    response_count: AtomicUsize,
    acknowledged: Mutex<Vec<Acknowledged>>,
}

/// What a customer was told about a reservation, and may rely on.
#[derive(Debug)]
enum Acknowledged {
    Reserved(Reservation),
    Cancelled(Reservation),
}

impl CustomerLoad {
    /// Does `action` in the middle of it, and returns what the customers said who got no answer.
    pub fn run_while(
        &self,
        platform: &Platform,
        cars: &[Car],
        action: impl FnOnce(),
    ) -> Vec<String> {
        self.is_stopped.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            let customers: Vec<_> = (0..CUSTOMERS)
                .map(|customer| scope.spawn(move || self.run_customer(platform, cars, customer)))
                .collect();
            // However it ends, the customers must hear of it, or the scope waits for them for ever.
            let end = StopOnDrop(&self.is_stopped);
            action();
            drop(end);
            customers
                .into_iter()
                .filter_map(|customer| customer.join().expect("expected responses only").err())
                .collect()
        })
    }

    /// Waits for so many answers more.
    pub fn wait_for_responses(&self, responses: usize) {
        let enough = self.response_count.load(Ordering::Relaxed) + responses;
        eventually(
            || self.response_count.load(Ordering::Relaxed),
            |count| *count >= enough,
        );
    }

    /// Waits until one more customer got his car.
    pub fn wait_for_success(&self) {
        let before = self.acknowledged.lock().len();
        eventually(|| self.acknowledged.lock().len(), |count| *count > before);
    }

    /// Nothing that a customer was told has been forgotten. To be asked when all is at rest.
    pub fn assert_acknowledged(&self, platform: &Platform) {
        for told in self.acknowledged.lock().iter() {
            match told {
                Acknowledged::Cancelled(reservation) => {
                    platform.wait_for_status(reservation, "cancelled");
                }
                // Whoever heard nothing of his giving up may have been heard all the same.
                Acknowledged::Reserved(reservation) => {
                    let status = &platform.get_json(&reservation.path)["status"];
                    assert!(
                        status == "reserved" || status == "cancelled",
                        "{told:?}: {status}"
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
    ) -> Result<(), String> {
        for round in 0.. {
            if self.has_stopped() {
                break;
            }
            let car = &cars[(customer + round) % cars.len()];
            let ask = platform.post("/reservations");
            let response = self.send(ask.json(&json!({"carId": car.id})))?;
            if response.status == 201 {
                let accepted = Acknowledged::Reserved(Reservation::from_response(&response));
                self.acknowledged.lock().push(accepted);
                self.cancel_until_accepted(platform, &response)?;
            }
        }
        Ok(())
    }

    /// Before the confirmation it is a conflict: it is asked for until it is accepted, so that somebody else gets the car.
    fn cancel_until_accepted(
        &self,
        platform: &Platform,
        accepted: &Response,
    ) -> Result<(), String> {
        while !self.has_stopped() {
            let response = self.send(cancel_request(platform, accepted))?;
            if response.status == 200 {
                let given_up = Acknowledged::Cancelled(Reservation::from_response(&response));
                self.acknowledged.lock().push(given_up);
                break;
            }
        }
        Ok(())
    }

    fn has_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn send(&self, ask: RequestBuilder) -> Result<Response, String> {
        let asked = Instant::now();
        let response = ask.try_send()?;
        self.response_count.fetch_add(1, Ordering::Relaxed);
        assert_expected(&response);
        let waited = asked.elapsed();
        assert!(waited < MAX_RESPONSE_TIME, "after {waited:?}: {response}");
        if response.status == 503 {
            // A tenth of what the answer asks for, so that there still is a storm.
            thread::sleep(Duration::from_millis(100));
        }
        Ok(response)
    }
}

/// Whatever befalls the platform: a customer is told to take another car, or to come again, and never a 500.
fn assert_expected(response: &Response) {
    match response.status {
        200 | 201 | 409 => {}
        503 => assert_unavailable(response),
        // A machine that is too slow for the storm has no time for some of it.
        504 => {}
        _ => panic!("{response}"),
    }
}

/// A refusal for now says when to come again.
pub fn assert_unavailable(refused: &Response) {
    assert_eq!(refused.status, 503, "{refused}");
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let seconds: u64 = refused.header("retry-after").parse().unwrap_or(0);
    assert!((1..=60).contains(&seconds), "{refused}");
}

/// The wish to cancel what `accepted` tells of.
fn cancel_request(platform: &Platform, accepted: &Response) -> RequestBuilder {
    let ask = platform.patch(&Reservation::from_response(accepted).path);
    ask.json(&json!({"status": "reqCancel"}))
}

/// Ends the storm when it goes.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
