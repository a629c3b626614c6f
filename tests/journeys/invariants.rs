//! What must hold of some cars and of everything that happened to them, once all is quiet; seen from the outside.

use std::collections::{BTreeMap, BTreeSet};

use harness::{Car, Platform, cancellation_text, confirmation_text, eventually, rejection_text};
use serde_json::{Value, json};

/// Waits until all is quiet, and looks at every promise.
///
/// Answers how many reservations were made.
pub fn assert_hold(platform: &Platform, cars: &[Car]) -> usize {
    let made = cars.iter().map(|car| assert_car(platform, car));
    made.sum()
}

fn assert_car(platform: &Platform, car: &Car) -> usize {
    let reservations = wait_for_final_status(platform, car);
    let reserved = reservations
        .iter()
        .filter(|seen| seen["status"] == "reserved")
        .count();
    assert!(
        reserved <= 1,
        "a car has one live booking: {reservations:#?}"
    );
    let status = match reserved {
        0 => "available",
        _ => "reserved",
    };
    platform.wait_for_car_status(car, status);
    assert_payments(platform, car, &reservations);
    assert_messages(platform, car, &reservations);
    assert_view(platform, car, &reservations, status);
    reservations.len()
}

/// All reservations of a car, once none of them is on its way any more.
fn wait_for_final_status(platform: &Platform, car: &Car) -> Vec<Value> {
    let is_final = |seen: &Value| {
        ["reserved", "cancelled", "rejected"]
            .iter()
            .any(|end| seen["status"] == *end)
    };
    eventually(
        || platform.list("/reservations", |seen| seen["carId"] == car.id),
        |reservations| reservations.iter().all(is_final),
    )
}

/// Who is reserved has paid, once; who cancelled has it back; and nobody else has paid.
fn assert_payments(platform: &Platform, car: &Car, reservations: &[Value]) {
    let with_payment = reservations.iter().filter_map(|seen| {
        let status = match seen["status"].as_str()? {
            "reserved" => "paid",
            "cancelled" => "cancelled",
            _ => return None,
        };
        Some((reservation_id(seen), status.to_owned()))
    });
    let expected: BTreeMap<u64, String> = with_payment.collect();
    let payments = eventually(
        || platform.list("/payments", |seen| seen["carId"] == car.id),
        |payments| {
            let is = |(id, status): (&u64, &String)| {
                let mut about = payments.iter().filter(|seen| seen["rsvId"] == *id);
                about.any(|seen| seen["status"] == *status)
            };
            expected.iter().all(is)
        },
    );
    let mut paid_for = BTreeSet::new();
    for payment in &payments {
        let reservation = reservation_id(payment);
        assert!(paid_for.insert(reservation), "paid once: {payments:#?}");
        let is_right = match expected.get(&reservation) {
            Some(status) => payment["status"] == *status,
            None => payment["status"] != "paid",
        };
        assert!(is_right, "{payment:#} {reservations:#?}");
    }
}

/// Everyone was told what happened to him, once.
fn assert_messages(platform: &Platform, car: &Car, reservations: &[Value]) {
    let about = |seen: &Value| match seen["status"].as_str() {
        Some("reserved") => vec![confirmation_text(car)],
        // A confirmation and a cancellation may cross on their way: here and below they are sorted.
        Some("cancelled") => vec![confirmation_text(car), cancellation_text(car)],
        _ => vec![rejection_text(car)],
    };
    let expected: BTreeMap<u64, Vec<String>> = reservations
        .iter()
        .map(|seen| (reservation_id(seen), about(seen)))
        .collect();
    let enough = expected.values().map(Vec::len).sum();
    let messages = eventually(
        || platform.list("/messages", |seen| seen["carId"] == car.id),
        |messages| messages.len() >= enough,
    );
    let mut told: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for message in &messages {
        let text = message["content"].as_str().unwrap_or_default();
        told.entry(reservation_id(message))
            .or_default()
            .push(text.to_owned());
    }
    told.values_mut().for_each(|texts| texts.sort());
    assert_eq!(told, expected);
}

/// The view joins the car with its latest reservation that was not rejected, and with that one's payment.
fn assert_view(platform: &Platform, car: &Car, reservations: &[Value], status: &str) {
    let by_id: BTreeMap<_, _> = reservations
        .iter()
        .map(|seen| (reservation_id(seen), seen))
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
    platform.wait_for_view(car, &expected);
}

/// The number of the reservation that it is, or is about.
fn reservation_id(item: &Value) -> u64 {
    item["rsvId"].as_u64().expect("a number")
}
