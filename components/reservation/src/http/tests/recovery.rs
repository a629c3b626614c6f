//! Recovery after a crash, a failed call or a lost event.

use super::*;

#[test]
fn a_failed_compensation_is_repeated_by_the_sweep() {
    let contexts = FakeContexts::new();
    contexts.approval.set(None);
    contexts.compensation_fails.set(true);
    let ports = contexts.ports();
    assert_eq!(reserve(&ports).status(), 503);
    assert_eq!(outbox_keys(&ports), ["saga/1"]);
    sweep_later(&ports);
    assert!(
        contexts.paid.borrow().contains(&1),
        "the payment context still fails"
    );
    contexts.compensation_fails.set(false);
    sweep_later(&ports);
    assert!(contexts.paid.borrow().is_empty() && contexts.held.borrow().is_empty());
    assert!(outbox_keys(&ports).is_empty());
}

/// The hold is delayed, its release finds no car, the car is registered, the hold arrives.
#[test]
fn a_hold_that_arrives_after_its_release_found_no_car_is_released_again() {
    let contexts = FakeContexts::new();
    contexts.hold.set(None);
    contexts.car_is_unknown.set(true);
    let ports = contexts.ports();
    assert_eq!(reserve_with_key(&ports, r#"{"carId":1}"#).status(), 503);
    assert_eq!(reserve_with_key(&ports, r#"{"carId":1}"#).status(), 503);
    assert_eq!(outbox_keys(&ports), ["saga/1"]);
    contexts.car_is_unknown.set(false);
    sweep_later(&ports);
    assert!(contexts.held.borrow().is_empty());
    assert!(outbox_keys(&ports).is_empty());
}

#[test]
fn a_saga_whose_car_is_never_registered_ends() {
    let contexts = FakeContexts::new();
    contexts.hold.set(None);
    contexts.car_is_unknown.set(true);
    let ports = contexts.ports();
    reserve(&ports);
    sweep_later(&ports);
    assert!(outbox_keys(&ports).is_empty());
}

#[test]
fn a_payment_that_arrives_after_the_rejection_is_refunded() {
    let contexts = FakeContexts::new();
    contexts.approval.set(None);
    let ports = contexts.ports();
    reserve(&ports);
    contexts.paid.borrow_mut().insert(1);
    deliver(&ports, Event::PaymentApproved, 1);
    assert_eq!(reservation(&ports, 1)["status"], "rejected");
    sweep_later(&ports);
    assert!(contexts.paid.borrow().is_empty());
}

#[test]
fn a_cancellation_whose_event_is_lost_is_finished_by_the_sweep() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    send(&ports, "DELETE", "/reservations/1", "", &[]);
    sweep_later(&ports);
    assert_eq!(reservation(&ports, 1)["status"], "cancelled");
    assert!(contexts.paid.borrow().is_empty());
}

#[test]
fn a_number_that_a_crash_left_unused_is_not_counted() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    ports.platform.state.fail_once_after(1);
    assert_eq!(reserve(&ports).status(), 503);
    reserve(&ports);
    for _ in 0..2 {
        send(&ports, "GET", "/reservations", "", &[]);
        ports.platform.advance(Duration::from_secs(130));
        block_on(sweep::sweep(&ports)).unwrap();
    }
    let list = body(&send(&ports, "GET", "/reservations", "", &[]));
    assert_eq!(list["_embedded"]["reservations"][0]["rsvId"], 2);
    assert_eq!(list["page"]["totalElements"], 1);
}
