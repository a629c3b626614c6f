//! What must hold of some cars and of everything that happened to them, once all is quiet; seen from the outside.

use std::collections::BTreeMap;

use harness::{Car, Platform, Reservation, cancelled, confirmed, eventually, rejected};
use serde_json::{Value, json};

/// Waits until all is quiet, and looks at every promise.
///
/// Answers how many reservations were made.
pub fn hold(platform: &Platform, cars: &[Car]) -> usize {
    let made = cars.iter().map(|car| holds(platform, car));
    made.sum()
}

fn holds(platform: &Platform, car: &Car) -> usize {
    let reservations = at_rest(platform, car);
    let reserved: Vec<_> = reservations
        .iter()
        .filter(|seen| seen["status"] == "reserved")
        .collect();
    assert!(
        reserved.len() <= 1,
        "a car has one live booking: {reservations:#?}"
    );
    let status = if reserved.is_empty() {
        "available"
    } else {
        "reserved"
    };
    platform.car_becomes(car, status);
    for reservation in &reservations {
        pays_and_tells(platform, car, reservation);
    }
    let paid = platform.all("/payments", |seen| {
        seen["carId"] == car.id && seen["status"] == "paid"
    });
    let for_whom = |list: &[&Value]| {
        list.iter()
            .map(|seen| seen["rsvId"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        for_whom(&paid.iter().collect::<Vec<_>>()),
        for_whom(&reserved),
        "only who is reserved has paid"
    );
    shows(platform, car, &reservations, status);
    reservations.len()
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

/// Who is reserved has paid, who cancelled has it back; and each was told what happened to him, once.
fn pays_and_tells(platform: &Platform, car: &Car, seen: &Value) {
    let reservation = Reservation::at(seen["rsvId"].as_u64().expect("an id"));
    let (payment, mut told) = match seen["status"].as_str() {
        Some("reserved") => (Some("paid"), vec![confirmed(car)]),
        Some("cancelled") => (Some("cancelled"), vec![confirmed(car), cancelled(car)]),
        _ => (None, vec![rejected(car)]),
    };
    if let Some(status) = payment {
        platform.payment_becomes(&reservation, status);
    }
    let mut messages = eventually(
        || platform.messages_of(&reservation),
        |messages| messages.len() >= told.len(),
    );
    // A confirmation and a cancellation may cross on their way.
    messages.sort();
    told.sort();
    assert_eq!(messages, told, "{seen:#}");
}

/// The view joins the car with its latest reservation that was not rejected, and with that one's payment.
fn shows(platform: &Platform, car: &Car, reservations: &[Value], status: &str) {
    let by_id: BTreeMap<_, _> = reservations
        .iter()
        .map(|seen| (seen["rsvId"].as_u64(), seen))
        .collect();
    let latest = by_id.values().rfind(|seen| seen["status"] != "rejected");
    let mut expected = json!({"carStatus": status, "rsvId": null, "rsvStatus": null, "payId": null, "payStatus": null});
    if let Some(latest) = latest {
        expected["rsvId"] = latest["rsvId"].clone();
        expected["rsvStatus"] = latest["status"].clone();
        expected["payId"] = latest["payId"].clone();
        expected["payStatus"] = json!(if latest["status"] == "reserved" {
            "paid"
        } else {
            "cancelled"
        });
    }
    platform.view_shows(car, &expected);
}
