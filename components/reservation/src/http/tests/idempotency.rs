//! `Idempotency-Key`: repeated requests make one reservation, also when attempts die in between.

use super::*;
use crate::commands;
use kit::{ChangeError, Origin};

#[test]
fn the_same_key_reserves_once() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    let first = reserve_with_key(&ports, r#"{"carId":1}"#);
    let second = reserve_with_key(&ports, r#"{"carId": 1}"#);
    assert_eq!(
        (first.status(), first.body()),
        (second.status(), second.body())
    );
    assert_eq!(reserve_with_key(&ports, r#"{"carId":2}"#).status(), 422);
    assert_eq!(contexts.held.borrow().len(), 1);
}

/// At whichever call the store begins to fail, the sweep and the next request lead to a consistent end.
#[test]
fn a_first_attempt_that_dies_at_any_call_is_resolved_by_the_next() {
    for calls in 0..26 {
        let contexts = FakeContexts::new();
        let ports = contexts.ports();
        ports.platform.state.fail_after(calls);
        let _ = reserve_with_key(&ports, r#"{"carId":1}"#);
        ports.platform.state.recover();
        sweep_times(&ports, 3);
        let again = reserve_until_known(&ports);
        assert_eq!(again.status(), 201, "{calls}: {}", body(&again));
        let id = body(&again)["rsvId"].as_u64().unwrap();
        deliver(&ports, Event::PaymentApproved, id);
        sweep_times(&ports, 30);
        assert_eq!(reservation(&ports, id)["status"], "reserved", "{calls}");
        assert_eq!(*contexts.paid.borrow(), BTreeSet::from([id]), "{calls}");
        assert_eq!(*contexts.held.borrow(), BTreeSet::from([id]), "{calls}");
        assert!(outbox_keys(&ports).is_empty(), "{calls}");
    }
}

/// The payment's outcome is unknown, and the store fails before the rejection is stored: the response must not be
/// that the car is not available while the first attempt has the car and is paid.
#[test]
fn the_response_to_a_key_covers_all_its_attempts() {
    for calls in 0..26 {
        let contexts = FakeContexts::new();
        contexts.approval.set(None);
        let ports = contexts.ports();
        ports.platform.state.fail_once_after(calls);
        let _ = reserve_with_key(&ports, r#"{"carId":1}"#);
        ports.platform.state.recover();
        if !contexts.held.borrow().is_empty() {
            contexts.hold.set(Some(HoldOutcome::NotAvailable));
        }
        let again = reserve_until_known(&ports);
        for id in contexts.paid.borrow().clone() {
            deliver(&ports, Event::PaymentApproved, id);
        }
        let is_reserved = |id: &u64| reservation(&ports, *id)["status"] == "reserved";
        let reserved = (1..4).filter(is_reserved).count();
        assert_eq!(
            reserved == 1,
            again.status() == 201,
            "{calls}: {}",
            body(&again)
        );
    }
}

/// Found by the simulation, once in 124 526 schedules: the sweep had just read that the open saga of a number was old
/// when the next request of the customer made a reservation under that number. The sweep rejected that reservation,
/// while the response to the customer was 201.
#[test]
fn an_old_saga_does_not_end_a_new_attempt_under_its_number() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    // Dies after the saga was opened, before the reservation is stored.
    ports.platform.state.fail_after(10);
    reserve_with_key(&ports, r#"{"carId":1}"#);
    ports.platform.state.recover();
    assert_eq!(outbox_keys(&ports), ["saga/1"]);
    sweep_times(&ports, 2);
    assert_eq!(reserve_until_known(&ports).status(), 201);
    contexts.paid.borrow_mut().clear();
    sweep_times(&ports, 1);
    assert_eq!(reservation(&ports, 1)["status"], "reqReserve");
}

/// An attempt dies at any call, its number is retired, and the next attempts die at any call or end: every reservation is in
/// the list.
#[test]
fn a_reservation_under_a_retired_number_is_in_the_list() {
    for first in 0..26 {
        for second in 0..30 {
            let contexts = FakeContexts::new();
            let ports = contexts.ports();
            ports.platform.state.fail_after(first);
            let _ = reserve_with_key(&ports, r#"{"carId":1}"#);
            ports.platform.state.recover();
            list(&ports);
            sweep_times(&ports, 30);
            // The first of these requests find the lease of the dead attempt.
            for _ in 0..12 {
                ports.platform.state.fail_after(second);
                let _ = reserve_with_key(&ports, r#"{"carId":1}"#);
                ports.platform.state.recover();
                ports.platform.advance(Duration::from_secs(1));
            }
            for id in contexts.paid.borrow().clone() {
                deliver(&ports, Event::PaymentApproved, id);
            }
            sweep_times(&ports, 30);
            let expected: Vec<u64> = (1..4)
                .filter(|id| reservation(&ports, *id)["rsvId"] == *id)
                .collect();
            assert_eq!(list(&ports), expected, "{first}, {second}");
        }
    }
}

/// The numbers in the list of all reservations.
fn list(ports: &TestPorts<'_>) -> Vec<u64> {
    let list = body(&send(ports, "GET", "/reservations", "", &[]));
    let rows = list["_embedded"]["reservations"].as_array().unwrap();
    let numbers: Vec<u64> = rows
        .iter()
        .filter_map(|row| row["rsvId"].as_u64())
        .collect();
    assert_eq!(list["page"]["totalElements"], numbers.len());
    numbers
}

/// Repeats the request with its key while an earlier one may be running.
fn reserve_until_known(ports: &TestPorts<'_>) -> Response {
    for _ in 0..12 {
        let response = reserve_with_key(ports, r#"{"carId":1}"#);
        if response.status() != 409 || !body(&response)["rsvId"].is_null() {
            return response;
        }
        ports.platform.advance(Duration::from_secs(1));
    }
    panic!("the lease was not taken over");
}

#[test]
fn a_reservation_has_a_number_of_its_own_after_the_loss_of_the_counter() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    for _ in 0..3 {
        assert_eq!(reserve(&ports).status(), 201);
    }
    block_on(ports.platform.state.delete("ids")).unwrap();
    assert_eq!(body(&reserve(&ports))["rsvId"], 4);
    block_on(ports.platform.state.delete("ids")).unwrap();
    assert_eq!(
        body(&reserve_with_key(&ports, r#"{"carId":9}"#))["rsvId"],
        5
    );
    assert_eq!(reservation(&ports, 5)["carId"], 9);
    assert_eq!(*contexts.held.borrow(), BTreeSet::from([1, 2, 3, 4, 5]));
}

/// Another request has taken the number after the allocation.
#[test]
fn a_reservation_under_the_number_of_another_one_is_not_confirmed() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    assert_eq!(reserve(&ports).status(), 201);
    let (id, origin) = (ReservationId(1), Origin::new("request"));
    let taken = commands::reserve(&ports, &origin, id, CarId(2), None);
    assert!(matches!(block_on(taken), Err(ChangeError::Contended(_))));
    assert_eq!(reservation(&ports, 1)["carId"], 1);
}
