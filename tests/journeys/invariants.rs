//! The invariants of some cars and their reservations, observed from outside once all work is complete.

use std::collections::{BTreeMap, BTreeSet};

use harness::{Car, Platform, cancellation_text, confirmation_text, eventually, rejection_text};
use serde_json::{Value, json};

/// Waits until all work on these cars is complete, and checks every invariant.
///
/// Returns the number of reservations.
pub fn assert_hold(platform: &Platform, cars: &[Car]) -> usize {
    let made = cars.iter().map(|car| assert_car(platform, car));
    made.sum()
}

fn assert_car(platform: &Platform, car: &Car) -> usize {
    let reservations = wait_for_final_status(platform, car);
    let reserved = reservations
        .iter()
        .filter(|item| item["status"] == "reserved")
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

/// All reservations of a car, once each has a final status.
fn wait_for_final_status(platform: &Platform, car: &Car) -> Vec<Value> {
    let is_final = |item: &Value| {
        ["reserved", "cancelled", "rejected"]
            .iter()
            .any(|end| item["status"] == *end)
    };
    eventually(
        || platform.list("/reservations", |item| item["carId"] == car.id),
        |reservations| reservations.iter().all(is_final),
    )
}

/// A reserved reservation has exactly one payment, which is paid. A cancelled one has a refunded payment, and a
/// rejected one none that is paid.
fn assert_payments(platform: &Platform, car: &Car, reservations: &[Value]) {
    let with_payment = reservations.iter().filter_map(|item| {
        let status = match item["status"].as_str()? {
            "reserved" => "paid",
            "cancelled" => "cancelled",
            _ => return None,
        };
        Some((reservation_id(item), status.to_owned()))
    });
    let expected: BTreeMap<u64, String> = with_payment.collect();
    // A payment whose outcome was unknown is cancelled after its reservation was rejected.
    let is_settled = |payment: &Value| match expected.get(&reservation_id(payment)) {
        Some(status) => payment["status"] == *status,
        None => payment["status"] != "paid",
    };
    let payments = eventually(
        || platform.list("/payments", |item| item["carId"] == car.id),
        |payments| {
            let about = |id: &u64| payments.iter().any(|item| item["rsvId"] == *id);
            expected.keys().all(about) && payments.iter().all(is_settled)
        },
    );
    let mut paid_for = BTreeSet::new();
    for payment in &payments {
        let is_first = paid_for.insert(reservation_id(payment));
        assert!(is_first, "paid once: {payments:#?}");
    }
}

/// Each transition has exactly one message.
fn assert_messages(platform: &Platform, car: &Car, reservations: &[Value]) {
    let about = |item: &Value| match item["status"].as_str() {
        Some("reserved") => vec![confirmation_text(car)],
        // A confirmation and a cancellation may overtake each other, so both sides are sorted.
        Some("cancelled") => vec![confirmation_text(car), cancellation_text(car)],
        _ => vec![rejection_text(car)],
    };
    let expected: BTreeMap<u64, Vec<String>> = reservations
        .iter()
        .map(|item| (reservation_id(item), about(item)))
        .collect();
    let enough = expected.values().map(Vec::len).sum();
    let messages = eventually(
        || platform.list("/messages", |item| item["carId"] == car.id),
        |messages| messages.len() >= enough,
    );
    let mut texts_by_reservation: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for message in &messages {
        let text = message["content"].as_str().unwrap_or_default();
        texts_by_reservation
            .entry(reservation_id(message))
            .or_default()
            .push(text.to_owned());
    }
    texts_by_reservation
        .values_mut()
        .for_each(|texts| texts.sort());
    assert_eq!(texts_by_reservation, expected);
}

/// The view joins a car with its latest reservation that was not rejected, and with that reservation's payment.
fn assert_view(platform: &Platform, car: &Car, reservations: &[Value], status: &str) {
    let by_id: BTreeMap<_, _> = reservations
        .iter()
        .map(|item| (reservation_id(item), item))
        .collect();
    let latest = by_id.values().rfind(|item| item["status"] != "rejected");
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

/// The id of a reservation, or of the reservation that an item is about.
fn reservation_id(item: &Value) -> u64 {
    item["rsvId"].as_u64().expect("a number")
}
