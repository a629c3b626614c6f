//! Does the platform use an external payment gateway correctly, and compensate when the gateway fails? Checkpoint
//! gateway.

use harness::{
    Decision, GatewayFault, Mode, PaymentGateway, Platform, Setup, confirmation_text, eventually,
    rejection_text,
};
use serde_json::json;

harness::journeys!(
    the_gateway_receives_one_request_with_an_idempotency_key,
    a_decline_rejects_the_reservation,
    an_answer_with_a_long_page_is_understood,
    a_failed_approval_is_refunded_and_nothing_stays_paid,
    an_unanswered_approval_is_refunded_and_nothing_stays_paid,
    a_refund_that_fails_is_retried,
    a_cancellation_is_refunded_at_the_gateway,
    an_unreachable_gateway_rejects_the_reservation_and_frees_the_car,
);

fn the_gateway_receives_one_request_with_an_idempotency_key(mode: Mode) {
    let (platform, gateway) = Platform::with_gateway(mode);
    let car = platform.register(&json!({"carName": "paid outside", "amount": 33_000}));
    let reservation = platform.reserve_and_confirm(&car);
    platform.wait_for_payment(&reservation, "paid");

    let approvals = gateway.approvals_of(&car);
    assert_eq!(approvals.len(), 1, "{approvals:#?}");
    assert_eq!(approvals[0].path, "/payments");
    assert_eq!(
        approvals[0].body,
        json!({"rsvId": reservation.id, "carId": car.id, "amount": 33_000})
    );
    assert_eq!(
        approvals[0].idempotency_key,
        Some(format!("\"rsv-{}\"", reservation.id))
    );
    assert_eq!(approvals[0].media_type.as_deref(), Some("application/json"));
    assert!(gateway.refunds_of(&reservation).is_empty());
}

fn a_decline_rejects_the_reservation(mode: Mode) {
    let (platform, gateway) = Platform::with_gateway(mode);
    let car = platform.register_car("declined");
    gateway.decide(&car, Decision::Decline);
    platform.try_reserve(&car).problem(402, "payment-declined");

    let rejected = rejected_reservation(&platform, &car);
    platform.wait_for_messages(&rejected, &[rejection_text(&car)]);
    assert_nothing_paid(&platform, &rejected);
    assert_eq!(platform.get_json(&car.path)["status"], "available");

    gateway.decide(&car, Decision::Approve);
    let second = platform.reserve_and_confirm(&car);
    platform.wait_for_messages(&second, &[confirmation_text(&car)]);
}

/// As by a proxy that explains a status. The status alone decides.
fn an_answer_with_a_long_page_is_understood(mode: Mode) {
    let (platform, gateway) = Platform::with_gateway(mode);
    gateway.set_fault(GatewayFault::LongBody);
    let car = platform.register_car("explained");
    gateway.decide(&car, Decision::Decline);
    platform.try_reserve(&car).problem(402, "payment-declined");
    gateway.decide(&car, Decision::Approve);
    let reservation = platform.reserve_and_confirm(&car);
    platform.wait_for_payment(&reservation, "paid");
    assert!(gateway.refunds_of(&reservation).is_empty());
}

fn a_failed_approval_is_refunded_and_nothing_stays_paid(mode: Mode) {
    assert_unknown_outcome_is_refunded(mode, Decision::Fail);
}

fn an_unanswered_approval_is_refunded_and_nothing_stays_paid(mode: Mode) {
    assert_unknown_outcome_is_refunded(mode, Decision::Hang);
}

fn assert_unknown_outcome_is_refunded(mode: Mode, decision: Decision) {
    let (platform, gateway) = Platform::with_gateway(mode);
    let car = platform.register_car("unknown outcome");
    gateway.decide(&car, decision);
    let response = platform.try_reserve(&car);
    response.problem(503, "unavailable");
    response.assert_retry_later();

    let rejected = rejected_reservation(&platform, &car);
    eventually(
        || gateway.refunds_of(&rejected).len(),
        |refunds| *refunds > 0,
    );
    platform.wait_for_messages(&rejected, &[rejection_text(&car)]);
    platform.wait_for_car_status(&car, "available");

    gateway.decide(&car, Decision::Approve);
    let second = eventually(
        || platform.try_reserve(&car),
        |response| response.status == 201,
    );
    let second = harness::Reservation::from_response(&second);
    platform.wait_for_status(&second, "reserved");
    platform.drain_events();
    assert_nothing_paid(&platform, &rejected);
    platform.wait_for_view(
        &car,
        &json!({"rsvId": second.id, "rsvStatus": "reserved", "payStatus": "paid"}),
    );
}

fn a_refund_that_fails_is_retried(mode: Mode) {
    let (platform, gateway) = Platform::with_gateway(mode);
    let car = platform.register_car("stubborn");
    gateway.decide(&car, Decision::Fail);
    gateway.fail_refunds(&car, 2);
    platform.try_reserve(&car).is(503);

    let rejected = rejected_reservation(&platform, &car);
    eventually(
        || gateway.refunds_of(&rejected).len(),
        |refunds| *refunds >= 3,
    );
    assert_nothing_paid(&platform, &rejected);
}

fn a_cancellation_is_refunded_at_the_gateway(mode: Mode) {
    let (platform, gateway) = Platform::with_gateway(mode);
    let car = platform.register_car("cancelled");
    let reservation = platform.reserve_and_confirm(&car);
    gateway.fail_refunds(&car, 1);
    platform.cancel(&reservation);
    platform.wait_for_status(&reservation, "cancelled");
    platform.wait_for_payment(&reservation, "cancelled");
    platform.wait_for_car_status(&car, "available");
    let refunds = gateway.refunds_of(&reservation);
    assert!(
        refunds.len() >= 2,
        "a failed refund is retried: {refunds:#?}"
    );
}

fn an_unreachable_gateway_rejects_the_reservation_and_frees_the_car(mode: Mode) {
    // No process listens on port 1.
    let platform = Setup::new(mode)
        .variable("payment_gateway_url", "http://127.0.0.1:1/payments")
        .start();
    let car = platform.register_car("no gateway");
    let response = platform.try_reserve(&car);
    response.problem(503, "unavailable");
    response.assert_retry_later();
    let rejected = rejected_reservation(&platform, &car);
    assert_nothing_paid(&platform, &rejected);
    platform.wait_for_car_status(&car, "available");
    platform.wait_for_messages(&rejected, &[rejection_text(&car)]);
}

fn rejected_reservation(platform: &Platform, car: &harness::Car) -> harness::Reservation {
    let reservations = eventually(
        || platform.list("/reservations", |item| item["carId"] == car.id),
        |item| item.len() == 1 && item[0]["status"] == "rejected",
    );
    assert!(
        !reservations[0]["reason"]
            .as_str()
            .unwrap_or_default()
            .is_empty(),
        "{reservations:#?}"
    );
    harness::Reservation::with_id(reservations[0]["rsvId"].as_u64().expect("an id"))
}

fn assert_nothing_paid(platform: &Platform, reservation: &harness::Reservation) {
    let payments = platform.payments_of(reservation);
    assert!(
        payments.iter().all(|payment| payment["status"] != "paid"),
        "{payments:#?}"
    );
}

#[test]
fn the_gateway_of_these_tests_can_be_told_apart_from_none() {
    // If the stub received no requests, every test above could pass for the wrong reason.
    assert!(
        PaymentGateway::start()
            .url()
            .starts_with("http://127.0.0.1:")
    );
}
