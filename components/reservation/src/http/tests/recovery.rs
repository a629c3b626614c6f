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
    sweep_times(&ports, 30);
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
    send(&ports, "GET", "/reservations", "", &[]);
    sweep_times(&ports, 30);
    let list = body(&send(&ports, "GET", "/reservations", "", &[]));
    assert_eq!(list["_embedded"]["reservations"][0]["rsvId"], 2);
    assert_eq!(list["page"]["totalElements"], 1);
}

const HOUR: Duration = Duration::from_secs(3600);

/// The clock was an hour ahead when the saga began, the process was killed, and the clock was corrected.
#[test]
fn a_saga_from_the_future_is_recovered() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    ports.platform.advance(HOUR);
    reserve(&ports);
    assert_eq!(outbox_keys(&ports), ["saga/1"]);
    ports.platform.set_back(HOUR);
    sweep_later(&ports);
    assert_eq!(reservation(&ports, 1)["status"], "reserved");
    assert!(outbox_keys(&ports).is_empty());
}

/// A note of an older release: its key has no token, and its value is a time, here one of a wrong clock.
#[test]
fn the_note_of_an_older_release_is_recovered() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    for key in block_on(ports.platform.outbox.keys()).unwrap() {
        block_on(ports.platform.outbox.delete(&key)).unwrap();
    }
    block_on(ports.platform.outbox.set("saga/1", b"99999999999999")).unwrap();
    let stored = block_on(ports.platform.state.get("reservation/1")).unwrap();
    let mut stored: Value = serde_json::from_slice(&stored.unwrap()).unwrap();
    let record = stored["state"].as_object_mut().unwrap();
    assert!(record.remove("saga").is_some());
    let stored = stored.to_string();
    block_on(ports.platform.state.set("reservation/1", stored.as_bytes())).unwrap();
    sweep_later(&ports);
    assert_eq!(reservation(&ports, 1)["status"], "reserved");
    assert!(outbox_keys(&ports).is_empty());
}

/// The clock of the host that sweeps is an hour ahead of the host whose request is under way.
#[test]
fn a_saga_under_way_is_not_taken_over_because_clocks_differ() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    contexts.paid.borrow_mut().clear();
    ports.platform.advance(HOUR);
    block_on(sweep::sweep(&ports)).unwrap();
    assert_eq!(reservation(&ports, 1)["status"], "reqReserve");
}

/// PaymentApproved is delivered twice; the second delivery ends after the customer's cancellation has begun, and the
/// event of the cancellation is lost.
#[test]
fn the_note_of_a_cancellation_outlives_the_end_of_the_reservation_s_own_saga() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    let own = block_on(ports.reservations().find::<Refusal>(ReservationId(1)));
    let own = SagaNote::new(ReservationId(1), own.unwrap().unwrap().state.saga);
    deliver(&ports, Event::PaymentApproved, 1);
    send(&ports, "DELETE", "/reservations/1", "", &[]);
    block_on(ports.sagas().close(&own));
    deliver(&ports, Event::PaymentApproved, 1);
    assert_eq!(outbox_keys(&ports), ["saga/1"]);
    sweep_later(&ports);
    assert_eq!(reservation(&ports, 1)["status"], "cancelled");
}

#[test]
fn a_refused_cancellation_leaves_no_note() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    let stale = [("if-match", "\"1\"")];
    let refused = send(&ports, "DELETE", "/reservations/1", "", &stale);
    assert_eq!(refused.status(), 412);
    assert!(outbox_keys(&ports).is_empty());
}

#[test]
fn a_reservation_that_cannot_be_announced_is_not_paid() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    ports.platform.log_is_down.set(true);
    let refused = reserve(&ports);
    assert_eq!(refused.status(), 503);
    assert_eq!(body(&refused)["reason"], "log-unavailable");
    assert_eq!(refused.headers()["retry-after"], "2");
    assert!(contexts.paid.borrow().is_empty() && contexts.held.borrow().is_empty());
    ports.platform.log_is_down.set(false);
    sweep_later(&ports);
    let mut published = ports.platform.published_types();
    published.dedup();
    assert_eq!(published, ["ReservationCreated", "ReservationRejected"]);
    assert!(outbox_keys(&ports).is_empty());
}

/// A reservation that a release with another stored form has written.
#[test]
fn a_reservation_that_cannot_be_read_does_not_stop_the_sweep() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    reserve(&ports);
    block_on(ports.platform.state.set("reservation/1", b"{}")).unwrap();
    ports.platform.advance(Duration::from_secs(5));
    let sweeps = [0; 3].map(|_| {
        ports.platform.advance(Duration::from_secs(5));
        block_on(sweep::sweep(&ports)).map_err(|problem| problem.status.as_u16())
    });
    assert_eq!(sweeps[2].err(), Some(500));
    assert_eq!(reservation(&ports, 2)["status"], "reserved");
}
