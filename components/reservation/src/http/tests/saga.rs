//! The saga of a reservation: reserve, confirm or reject, cancel.

use super::*;

#[test]
fn a_reservation_is_reserved_once_it_is_paid() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    let created = reserve(&ports);
    assert_eq!(created.status(), 201);
    assert_eq!(created.headers()["location"], "http://h/reservations/1");
    assert_eq!(body(&created)["status"], "reqReserve");
    for _ in 0..2 {
        deliver(&ports, Event::PaymentApproved, 1);
    }
    assert_eq!(reservation(&ports, 1)["status"], "reserved");
    assert_eq!(reservation(&ports, 1)["payId"], 1);
    assert_eq!(
        ports.platform.published_types(),
        ["ReservationCreated", "ReservationConfirmed"]
    );
    assert!(outbox_keys(&ports).is_empty());
}

#[test]
fn a_rejection_is_answered_with_its_status_and_reason() {
    for (hold, approval, status, reason) in [
        (
            Some(HoldOutcome::NotAvailable),
            None,
            409,
            "car-not-available",
        ),
        (Some(HoldOutcome::UnknownCar), None, 404, "unknown-car"),
        (None, None, 503, "car-unreachable"),
        (
            Some(HoldOutcome::Held { amount: 1 }),
            Some(ApprovalOutcome::Declined),
            402,
            "payment-declined",
        ),
        (
            Some(HoldOutcome::Held { amount: 1 }),
            None,
            503,
            "payment-unreachable",
        ),
    ] {
        let contexts = FakeContexts::new();
        contexts.hold.set(hold);
        contexts.approval.set(approval);
        let ports = contexts.ports();
        let refused = reserve(&ports);
        assert_eq!(refused.status(), status, "{reason}");
        assert_eq!(body(&refused)["reason"], reason);
        assert_eq!(refused.headers().contains_key("retry-after"), status == 503);
        assert_eq!(reservation(&ports, 1)["status"], "rejected");
        assert_eq!(reservation(&ports, 1)["reason"], reason);
        assert_eq!(
            ports.platform.published_types(),
            ["ReservationCreated", "ReservationRejected"]
        );
        assert!(outbox_keys(&ports).is_empty(), "{reason}");
        assert!(contexts.paid.borrow().is_empty(), "{reason}");
    }
}

#[test]
fn the_retry_after_of_the_failed_context_is_passed_on() {
    let contexts = FakeContexts::new();
    contexts.approval.set(None);
    assert_eq!(reserve(&contexts.ports()).headers()["retry-after"], "7");
}

#[test]
fn a_payment_that_was_not_requested_is_not_cancelled() {
    let contexts = FakeContexts::new();
    contexts.approval.set(None);
    contexts.effect.set(Effect::None);
    let ports = contexts.ports();
    let refused = reserve(&ports);
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "7");
    assert_eq!(contexts.cancels.get(), 0);
    assert!(contexts.held.borrow().is_empty(), "the car is still held");
    assert!(outbox_keys(&ports).is_empty());
}

#[test]
fn after_a_timeout_the_payment_is_cancelled_by_the_sweep() {
    let contexts = FakeContexts::new();
    contexts.approval.set(None);
    contexts.effect.set(Effect::TimedOut);
    let ports = contexts.ports();
    assert_eq!(reserve(&ports).status(), 503);
    assert_eq!(contexts.cancels.get(), 0);
    assert!(contexts.held.borrow().is_empty(), "the car is still held");
    assert_eq!(outbox_keys(&ports), ["saga/1"]);
    sweep_later(&ports);
    assert!(contexts.paid.borrow().is_empty());
    assert!(outbox_keys(&ports).is_empty());
}

#[test]
fn a_cancellation_ends_with_the_refund() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    let patched = send(
        &ports,
        "PATCH",
        "/reservations/1",
        r#"{"status":"reqCancel"}"#,
        &[],
    );
    assert_eq!(
        (patched.status().as_u16(), &body(&patched)["status"]),
        (200, &json!("reqCancel"))
    );
    for _ in 0..2 {
        deliver(&ports, Event::PaymentCancelled, 1);
    }
    assert_eq!(reservation(&ports, 1)["status"], "cancelled");
    assert_eq!(
        send(&ports, "DELETE", "/reservations/1", "", &[]).status(),
        200
    );
    assert_eq!(
        ports.platform.published_types(),
        [
            "ReservationCreated",
            "ReservationConfirmed",
            "ReservationCancelRequested",
            "ReservationCancelled"
        ]
    );
    assert!(outbox_keys(&ports).is_empty());
}
