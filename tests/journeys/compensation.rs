//! Does a cancellation undo every effect of a reservation, in every context and exactly once? Checkpoint
//! compensation.

use harness::{Mode, Platform, cancellation_text, confirmation_text, eventually};
use serde_json::json;

harness::journeys!(
    a_cancelled_reservation_frees_its_car_and_returns_the_money,
    a_cancelled_car_can_be_reserved_again,
    deleting_a_reservation_requests_its_cancellation,
    cancelling_twice_returns_the_money_once,
    cancelling_at_the_same_instant_returns_the_money_once,
    a_cancellation_right_after_the_reservation_ends_cancelled,
    only_a_cancellation_may_be_patched,
    a_rejected_reservation_cannot_be_cancelled,
    a_modified_car_keeps_its_booking,
);

fn a_cancelled_reservation_frees_its_car_and_returns_the_money(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("cancelled");
    let reservation = platform.reserve_and_confirm(&car);

    let response = platform.cancel(&reservation).json();
    assert_eq!(response["rsvId"], reservation.id);
    let status = response["status"].as_str().unwrap_or_default();
    assert!(matches!(status, "reqCancel" | "cancelled"), "{response:#}");

    platform.wait_for_status(&reservation, "cancelled");
    platform.wait_for_car_status(&car, "available");
    platform.wait_for_payment(&reservation, "cancelled");
    platform.wait_for_messages(
        &reservation,
        &[confirmation_text(&car), cancellation_text(&car)],
    );
    let row = platform.wait_for_view(
        &car,
        &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
    );
    assert_eq!(row["rsvId"], reservation.id);
}

fn a_cancelled_car_can_be_reserved_again(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("shared");
    let first = platform.reserve_and_confirm(&car);
    platform.cancel_and_wait(&first, &car);

    let second = platform.reserve_and_confirm(&car);
    let row = platform.wait_for_view(&car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
    assert_eq!(row["rsvId"], second.id);
    assert_eq!(platform.get_json(&first.path)["status"], "cancelled");
    platform.wait_for_payment(&first, "cancelled");
}

fn deleting_a_reservation_requests_its_cancellation(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("deleted");
    let reservation = platform.reserve_and_confirm(&car);
    let status = platform.delete(&reservation.path).send().status;
    assert!(matches!(status, 200 | 202 | 204), "{status}");
    platform.wait_for_status(&reservation, "cancelled");
    platform.wait_for_car_status(&car, "available");
    platform.wait_for_payment(&reservation, "cancelled");
}

fn cancelling_twice_returns_the_money_once(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("twice");
    let reservation = platform.reserve_and_confirm(&car);
    platform.cancel_and_wait(&reservation, &car);

    // A repeated cancellation may succeed or be refused as a conflict; it never refunds again.
    let again = platform
        .patch(&reservation.path)
        .json(&json!({"status": "reqCancel"}))
        .send();
    assert!(matches!(again.status, 200 | 409), "{again}");
    platform.drain_events();
    assert_refunded_once(&platform, &reservation, &car);
}

fn cancelling_at_the_same_instant_returns_the_money_once(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("concurrent");
    let reservation = platform.reserve_and_confirm(&car);
    let responses = platform.concurrently(20, |_| {
        platform
            .patch(&reservation.path)
            .json(&json!({"status": "reqCancel"}))
            .send()
    });
    for response in &responses {
        assert!(matches!(response.status, 200 | 409), "{response}");
    }
    platform.wait_for_status(&reservation, "cancelled");
    platform.wait_for_car_status(&car, "available");
    platform.drain_events();
    assert_refunded_once(&platform, &reservation, &car);
}

fn assert_refunded_once(
    platform: &Platform,
    reservation: &harness::Reservation,
    car: &harness::Car,
) {
    let refunds = platform.events_where(|event| {
        event["type"] == "PaymentCancelled" && event["data"]["rsvId"] == reservation.id
    });
    assert_eq!(refunds.len(), 1, "{refunds:#?}");
    let texts = [confirmation_text(car), cancellation_text(car)];
    platform.wait_for_messages(reservation, &texts);
    assert_eq!(platform.messages_of(reservation), texts);
    assert_eq!(platform.get_json(&car.path)["status"], "available");
}

fn a_cancellation_right_after_the_reservation_ends_cancelled(mode: Mode) {
    let platform = Platform::shared(mode);
    for attempt in 0..5 {
        let car = platform.register_car(&format!("cancelled early {attempt}"));
        let reservation = platform.reserve(&car);
        // Before the confirmation, a cancellation may be refused as a conflict; it must succeed later.
        eventually(
            || {
                platform
                    .patch(&reservation.path)
                    .json(&json!({"status": "reqCancel"}))
                    .send()
            },
            |response| response.status == 200,
        );
        platform.wait_for_status(&reservation, "cancelled");
        platform.wait_for_car_status(&car, "available");
        platform.wait_for_payment(&reservation, "cancelled");
        platform.wait_for_view(
            &car,
            &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
        );
    }
}

fn only_a_cancellation_may_be_patched(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("fixed");
    let reservation = platform.reserve_and_confirm(&car);

    let patch = |body| platform.patch(&reservation.path).json(&body).send();
    patch(json!({"status": "reserved"})).invalid_field("status");
    patch(json!({"status": "cancelled"})).invalid_field("status");
    patch(json!({"status": "nonsense"})).invalid_field("status");
    patch(json!({"carId": car.id})).problem(422, "invalid-field");
    patch(json!({"status": "reqCancel", "payId": 1})).invalid_field("payId");
    let put = platform
        .put(&reservation.path)
        .json(&json!({"carId": car.id}))
        .send();
    put.problem(405, "method-not-allowed");

    assert_eq!(platform.get_json(&reservation.path)["status"], "reserved");
}

fn a_rejected_reservation_cannot_be_cancelled(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("refused");
    platform.reserve_and_confirm(&car);
    platform.try_reserve(&car).is(409);
    let rejected = platform.list("/reservations", |item| {
        item["carId"] == car.id && item["status"] == "rejected"
    });
    let rejected = harness::Reservation::with_id(rejected[0]["rsvId"].as_u64().expect("an id"));

    platform
        .patch(&rejected.path)
        .json(&json!({"status": "reqCancel"}))
        .send()
        .problem(409, "reservation-rejected");
    assert_eq!(platform.get_json(&rejected.path)["status"], "rejected");
    assert_eq!(platform.get_json(&car.path)["status"], "reserved");
}

fn a_modified_car_keeps_its_booking(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("old name");
    let reservation = platform.reserve_and_confirm(&car);
    platform
        .patch(&car.path)
        .json(&json!({"carName": "new name"}))
        .send()
        .is(200);

    assert_eq!(platform.get_json(&car.path)["status"], "reserved");
    platform.wait_for_view(
        &car,
        &json!({"carName": "new name", "carStatus": "reserved", "rsvId": reservation.id}),
    );
    platform.cancel_and_wait(&reservation, &car);
}
