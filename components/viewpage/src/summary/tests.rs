//! The summary of the fleet: counts, revenue by hour, and what is unsettled.

use super::*;
use crate::fixtures::*;
use events::{CloudEvent, Event};
use futures::executor::block_on;

/// 2026-11-29 20:00 UTC.
const EIGHT: u64 = 1_795_982_400_000;
const MINUTE: u64 = 60_000;

fn at(mut event: CloudEvent, millis: u64, amount: u64) -> CloudEvent {
    event.time = Timestamp::from_millis(millis);
    if let Event::PaymentApproved(payment) | Event::PaymentCancelled(payment) = &mut event.event {
        payment.amount = amount;
    }
    event
}

fn summary(model: &MemoryModel, millis: u64) -> Summary {
    block_on(model.summary(Timestamp::from_millis(millis))).unwrap()
}

/// The hours with revenue, counted back from the last one, with amount and payments.
fn earned(summary: &Summary) -> Vec<(usize, u64, u64)> {
    let hours = summary.revenue.iter().rev().enumerate();
    let earned = hours.filter(|(_, hour)| (hour.amount, hour.payments) != (0, 0));
    earned
        .map(|(back, hour)| (back, hour.amount, hour.payments))
        .collect()
}

#[test]
fn cars_are_counted_by_their_status() {
    let model = model();
    assert_eq!(summary(&model, EIGHT).utilisation().to_string(), "0");
    for id in 1..=2500 {
        project(&model, &car_registered(id, 1, "Kia"));
    }
    for id in 1..=500 {
        project(&model, &car_reserved(id, 2, "Kia", id));
    }
    project(&model, &car_deleted(2500, 2));
    let found = summary(&model, EIGHT);
    assert_eq!(
        (found.cars, found.available, found.reserved),
        (2499, 1999, 500)
    );
    assert_eq!(found.utilisation().to_string(), "0.2001");
}

#[test]
fn a_payment_counts_in_the_hour_of_its_approval_until_it_is_returned() {
    let model = model();
    for event in [
        at(payment(1, 1, 1, 1, "paid"), EIGHT + MINUTE, 100),
        at(payment(2, 1, 2, 2, "paid"), EIGHT + 59 * MINUTE, 30),
        at(payment(3, 1, 3, 3, "paid"), EIGHT - 1, 7),
        at(payment(4, 1, 4, 4, "paid"), EIGHT - 23 * 60 * MINUTE, 5),
        at(payment(5, 1, 5, 5, "paid"), EIGHT - 23 * 60 * MINUTE - 1, 9),
    ] {
        project(&model, &event);
    }
    let found = summary(&model, EIGHT + 30 * MINUTE);
    assert_eq!(found.revenue.len(), 24);
    assert_eq!(
        found.revenue[23].hour.to_string(),
        "2026-11-29T20:00:00.000Z"
    );
    assert_eq!(earned(&found), [(0, 130, 2), (1, 7, 1), (23, 5, 1)]);
    let returned = at(payment(1, 2, 1, 1, "cancelled"), EIGHT + 90 * MINUTE, 100);
    project(&model, &returned);
    let found = summary(&model, EIGHT + 90 * MINUTE);
    assert_eq!(earned(&found), [(1, 30, 1), (2, 7, 1)]);
}

#[test]
fn the_revenue_does_not_depend_on_the_order_and_number_of_deliveries() {
    let approved = at(payment(1, 1, 1, 1, "paid"), EIGHT, 100);
    let other = at(payment(2, 1, 2, 2, "paid"), EIGHT, 30);
    let returned = at(payment(1, 2, 1, 1, "cancelled"), EIGHT + MINUTE, 100);
    for order in [
        [&approved, &returned, &other],
        [&returned, &approved, &other],
        [&other, &returned, &approved],
    ] {
        let model = model();
        for event in order.iter().chain(&order).chain(order.iter().rev()) {
            project(&model, event);
        }
        let found = summary(&model, EIGHT);
        assert_eq!(earned(&found), [(0, 30, 1)], "{order:?}");
    }
}

#[test]
fn unsettled_reservations_need_attention() {
    let model = model();
    for (id, status) in [
        (1, "reqReserve"),
        (2, "reserved"),
        (3, "reqCancel"),
        (4, "cancelled"),
        (5, "rejected"),
    ] {
        project(&model, &car_registered(id, 1, "Kia"));
        project(&model, &reservation(id, 1, id, status));
    }
    let found = summary(&model, EIGHT);
    let cars = found.attention.iter().map(|row| row.car_id.0);
    assert_eq!(cars.collect::<Vec<_>>(), [3, 1]);
}
