//! Many customers want few cars at once and change their minds. Afterwards, when all is quiet, every promise holds.

use std::collections::BTreeMap;

use harness::{Car, Mode, Platform, Reservation, cancelled, confirmed, eventually, rejected};
use serde_json::{Value, json};

harness::journeys!(after_a_storm_every_promise_holds);

const CUSTOMERS: usize = 12;
const ROUNDS: usize = 6;

fn after_a_storm_every_promise_holds(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars: Vec<Car> = (0..4)
        .map(|number| platform.register_car(&format!("stormy {number}")))
        .collect();
    platform.together(CUSTOMERS, |customer| {
        for round in 0..ROUNDS {
            let car = &cars[(customer + round) % cars.len()];
            let answer = platform.try_reserve(car);
            // A machine that is too slow for the storm may refuse some for want of time.
            assert!(matches!(answer.status, 201 | 409 | 503 | 504), "{answer}");
            if answer.status == 201 && (customer + round) % 3 != 0 {
                give_up(
                    &platform,
                    &Reservation::at(answer.json()["rsvId"].as_u64().expect("an id")),
                );
            }
        }
    });

    for car in &cars {
        let reservations = at_rest(&platform, car);
        let count = |status: &str| {
            reservations
                .iter()
                .filter(|seen| seen["status"] == status)
                .count()
        };
        assert!(
            count("cancelled") + count("reserved") > 0,
            "nobody ever got {car:?}"
        );
        assert!(
            count("reserved") <= 1,
            "a car has one live booking: {reservations:#?}"
        );
        let status = if count("reserved") == 1 {
            "reserved"
        } else {
            "available"
        };
        platform.car_becomes(car, status);
        for reservation in &reservations {
            pays_and_tells(&platform, car, reservation);
        }
        shows(&platform, car, &reservations, status);
    }
}

/// Before the confirmation a cancellation may be a conflict: it is asked for until it is accepted.
fn give_up(platform: &Platform, reservation: &Reservation) {
    eventually(
        || {
            platform
                .patch(&reservation.path)
                .json(&json!({"status": "reqCancel"}))
                .send()
        },
        |answer| answer.status == 200,
    );
}

/// All reservations of a car, once none of them is on its way any more.
fn at_rest(platform: &Platform, car: &Car) -> Vec<Value> {
    let at_rest = |seen: &Value| {
        ["reserved", "cancelled", "rejected"]
            .iter()
            .any(|end| seen["status"] == *end)
    };
    eventually(
        || platform.all("/reservations", |seen| seen["carId"] == car.id),
        |reservations| reservations.iter().all(at_rest),
    )
}

/// Who is reserved has paid, nobody else has; and each was told what happened to him, once.
fn pays_and_tells(platform: &Platform, car: &Car, seen: &Value) {
    let reservation = Reservation::at(seen["rsvId"].as_u64().expect("an id"));
    let (payment, told) = match seen["status"].as_str() {
        Some("reserved") => (Some("paid"), vec![confirmed(car)]),
        Some("cancelled") => (Some("cancelled"), vec![confirmed(car), cancelled(car)]),
        _ => (None, vec![rejected(car)]),
    };
    match payment {
        Some(status) => drop(platform.payment_becomes(&reservation, status)),
        None => assert!(
            seen["payId"].is_null(),
            "nobody pays for a rejection: {seen:#}"
        ),
    }
    let mut messages = eventually(
        || platform.messages_of(&reservation),
        |messages| messages.len() >= told.len(),
    );
    // A confirmation and a cancellation may cross on their way.
    messages.sort();
    let mut expected = told;
    expected.sort();
    assert_eq!(messages, expected, "{seen:#}");
}

/// The view joins the car with its latest reservation that was not rejected, and with that one's payment.
fn shows(platform: &Platform, car: &Car, reservations: &[Value], status: &str) {
    let by_id: BTreeMap<_, _> = reservations
        .iter()
        .map(|seen| (seen["rsvId"].as_u64(), seen))
        .collect();
    let latest = by_id
        .values()
        .rfind(|seen| seen["status"] != "rejected")
        .expect("somebody got it");
    platform.view_shows(
        car,
        &json!({
            "carStatus": status,
            "rsvId": latest["rsvId"],
            "rsvStatus": latest["status"],
            "payId": latest["payId"],
            "payStatus": if latest["status"] == "reserved" { "paid" } else { "cancelled" },
        }),
    );
}
