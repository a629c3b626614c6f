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
    after_a_storm_every_promise_holds,
    after_kills_in_a_storm_every_promise_holds
);

const CUSTOMERS: usize = 12;
const ROUNDS: usize = 6;

/// Three times the deadline: a busy machine needs some time around it, and who hangs needs more.
pub const PATIENCE: Duration = Duration::from_secs(15);

fn after_a_storm_every_promise_holds(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = register(&platform);
    platform.concurrently(CUSTOMERS, |customer| {
        for round in 0..ROUNDS {
            let answer = platform.try_reserve(&cars[(customer + round) % cars.len()]);
            is_expected(&answer);
            if answer.status == 201 && (customer + round) % 3 != 0 {
                // Before the confirmation it is a conflict: it is asked for until it is accepted.
                eventually(
                    || giving_up(&platform, &answer).send(),
                    |given_up| given_up.status == 200,
                );
            }
        }
    });
    let made = invariants::hold(&platform, &cars);
    assert!(made >= ROUNDS, "{made} reservations are no storm");
}

/// Each kill comes after so many answers: at another moment of the story every time, and of every run.
fn after_kills_in_a_storm_every_promise_holds(mode: Mode) {
    let mut platform = Setup::new(mode).start();
    let cars = register(&platform);
    let storm = Storm::default();
    for _ in 0..kills() {
        storm.rage(&platform, &cars, || {
            storm.goes_on(fastrand::usize(3..60));
            platform.kill();
        });
        platform = platform.restart();
    }
    let made = invariants::hold(&platform, &cars);
    assert!(made >= 3, "{made} reservations are no storm");
    storm.is_remembered(&platform);
}

/// How often a storm is interrupted: a few times, or as often as `SOCAR_KILLS` says.
pub fn kills() -> usize {
    let said = std::env::var("SOCAR_KILLS").ok();
    said.map_or(3, |kills| kills.parse().expect("SOCAR_KILLS is a number"))
}

/// The cars that everybody wants.
pub fn register(platform: &Platform) -> Vec<Car> {
    (0..4)
        .map(|number| platform.register_car(&format!("stormy {number}")))
        .collect()
}

/// Customers who reserve and give up until the storm is over or nobody answers any more.
#[derive(Default)]
pub struct Storm {
    over: AtomicBool,
    answers: AtomicUsize,
    told: Mutex<Vec<Told>>,
}

/// What a customer was told about a reservation, and may rely on.
#[derive(Debug)]
enum Told {
    Accepted(Reservation),
    GivenUp(Reservation),
}

impl Storm {
    /// Does `meanwhile` in the middle of it, and returns what the customers said who got no answer.
    pub fn rage(&self, platform: &Platform, cars: &[Car], meanwhile: impl FnOnce()) -> Vec<String> {
        self.over.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            let customers: Vec<_> = (0..CUSTOMERS)
                .map(|customer| scope.spawn(move || self.live(platform, cars, customer)))
                .collect();
            // However it ends, the customers must hear of it, or the scope waits for them for ever.
            let end = End(&self.over);
            meanwhile();
            drop(end);
            customers
                .into_iter()
                .filter_map(|customer| customer.join().expect("expected answers only").err())
                .collect()
        })
    }

    /// Waits for so many answers more.
    pub fn goes_on(&self, answers: usize) {
        let enough = self.answers.load(Ordering::Relaxed) + answers;
        eventually(
            || self.answers.load(Ordering::Relaxed),
            |count| *count >= enough,
        );
    }

    /// Waits until one more customer got his car.
    pub fn goes_well(&self) {
        let before = self.told.lock().len();
        eventually(|| self.told.lock().len(), |count| *count > before);
    }

    /// Nothing that a customer was told has been forgotten. To be asked when all is at rest.
    pub fn is_remembered(&self, platform: &Platform) {
        for told in self.told.lock().iter() {
            match told {
                Told::GivenUp(reservation) => {
                    platform.wait_for_status(reservation, "cancelled");
                }
                // Whoever heard nothing of his giving up may have been heard all the same.
                Told::Accepted(reservation) => {
                    let status = &platform.get_json(&reservation.path)["status"];
                    assert!(
                        status == "reserved" || status == "cancelled",
                        "{told:?}: {status}"
                    );
                }
            }
        }
    }

    fn live(&self, platform: &Platform, cars: &[Car], customer: usize) -> Result<(), String> {
        for round in 0.. {
            if self.is_over() {
                break;
            }
            let car = &cars[(customer + round) % cars.len()];
            let ask = platform.post("/reservations");
            let answer = self.hear(ask.json(&json!({"carId": car.id})))?;
            if answer.status == 201 {
                let accepted = Told::Accepted(Reservation::from_response(&answer));
                self.told.lock().push(accepted);
                self.give_up(platform, &answer)?;
            }
        }
        Ok(())
    }

    /// Before the confirmation it is a conflict: it is asked for until it is accepted, so that somebody else gets the car.
    fn give_up(&self, platform: &Platform, accepted: &Response) -> Result<(), String> {
        while !self.is_over() {
            let answer = self.hear(giving_up(platform, accepted))?;
            if answer.status == 200 {
                let given_up = Told::GivenUp(Reservation::from_response(&answer));
                self.told.lock().push(given_up);
                break;
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn hear(&self, ask: RequestBuilder) -> Result<Response, String> {
        let asked = Instant::now();
        let answer = ask.try_send()?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        is_expected(&answer);
        let waited = asked.elapsed();
        assert!(waited < PATIENCE, "after {waited:?}: {answer}");
        if answer.status == 503 {
            // A tenth of what the answer asks for, so that there still is a storm.
            thread::sleep(Duration::from_millis(100));
        }
        Ok(answer)
    }
}

/// Whatever befalls the platform: a customer is told to take another car, or to come again, and never a 500.
fn is_expected(answer: &Response) {
    match answer.status {
        200 | 201 | 409 => {}
        503 => comes_with_a_time(answer),
        // A machine that is too slow for the storm has no time for some of it.
        504 => {}
        _ => panic!("{answer}"),
    }
}

/// A refusal for now says when to come again.
pub fn comes_with_a_time(refused: &Response) {
    assert_eq!(refused.status, 503, "{refused}");
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let seconds: u64 = refused.header("retry-after").parse().unwrap_or(0);
    assert!((1..=60).contains(&seconds), "{refused}");
}

/// The wish to cancel what `accepted` tells of.
fn giving_up(platform: &Platform, accepted: &Response) -> RequestBuilder {
    let ask = platform.patch(&Reservation::from_response(accepted).path);
    ask.json(&json!({"status": "reqCancel"}))
}

/// Ends the storm when it goes.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
