//! Many customers want few cars at once and change their minds. Afterwards, when all is quiet, every promise holds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use harness::{Answer, Car, Mode, Platform, Reservation, Setup, eventually};
use serde_json::json;

use crate::promises;

harness::journeys!(
    after_a_storm_every_promise_holds,
    after_kills_in_a_storm_every_promise_holds
);

const CUSTOMERS: usize = 12;
const ROUNDS: usize = 6;

fn after_a_storm_every_promise_holds(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = register(&platform);
    platform.together(CUSTOMERS, |customer| {
        for round in 0..ROUNDS {
            let answer = platform.try_reserve(&cars[(customer + round) % cars.len()]);
            // A machine that is too slow for the storm may refuse some for want of time.
            assert!(matches!(answer.status, 201 | 409 | 503 | 504), "{answer}");
            if answer.status == 201 && (customer + round) % 3 != 0 {
                // Before the confirmation it is a conflict: it is asked for until it is accepted.
                let accepted = eventually(
                    || give_up(&platform, &answer),
                    |gone| matches!(gone, Ok(gone) if gone.status == 200),
                );
                assert!(accepted.is_ok());
            }
        }
    });
    let made = promises::hold(&platform, &cars);
    assert!(made >= ROUNDS, "{made} reservations are no storm");
}

/// Each kill comes after so many answers: at another moment of the story every time, and of every run.
fn after_kills_in_a_storm_every_promise_holds(mode: Mode) {
    let mut platform = Setup::new(mode).start();
    let cars = register(&platform);
    for answers in [3, 17, 40] {
        kill_in_a_storm(&platform, &cars, answers);
        platform = platform.start_again();
    }
    let made = promises::hold(&platform, &cars);
    assert!(made >= 3, "{made} reservations are no storm");
}

fn kill_in_a_storm(platform: &Platform, cars: &[Car], answers: usize) {
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for customer in 0..CUSTOMERS {
            let answered = &answered;
            scope.spawn(move || {
                // Until nobody answers any more.
                for round in 0.. {
                    let car = &cars[(customer + round) % cars.len()];
                    let ask = platform
                        .post("/reservations")
                        .json(&json!({"carId": car.id}));
                    let Ok(answer) = ask.try_send() else { return };
                    answered.fetch_add(1, Ordering::Relaxed);
                    if answer.status == 201 && give_up(platform, &answer).is_err() {
                        return;
                    }
                }
            });
        }
        eventually(
            || answered.load(Ordering::Relaxed),
            |count| *count >= answers,
        );
        platform.kill();
    });
}

fn register(platform: &Platform) -> Vec<Car> {
    (0..4)
        .map(|number| platform.register_car(&format!("stormy {number}")))
        .collect()
}

/// Asks to cancel what `accepted` tells of.
fn give_up(platform: &Platform, accepted: &Answer) -> Result<Answer, String> {
    let reservation = Reservation::at(accepted.json()["rsvId"].as_u64().expect("an id"));
    let ask = platform.patch(&reservation.path);
    ask.json(&json!({"status": "reqCancel"})).try_send()
}
