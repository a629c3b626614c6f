//! The live reservations of a customer: their number is bounded, and each place becomes free again.

use super::*;
use crate::commands;
use crate::live_reservations::DEFAULT_LIMIT;
use events::CustomerId;
use kit::{ChangeError, Origin};

/// The fakes with a limit of this many live reservations.
fn ports_with_limit<'c>(contexts: &'c FakeContexts, limit: &str) -> TestPorts<'c> {
    let ports = contexts.ports();
    let mut variables = ports.platform.variables.borrow_mut();
    variables.insert("reservation_limit", limit.to_owned());
    drop(variables);
    ports
}

/// Reserves for a customer, with an idempotency key unless it is empty.
fn reserve_for(ports: &TestPorts<'_>, customer: &str, key: &str) -> Response {
    let principal = format!("customer {customer}");
    let mut headers = vec![("socar-principal", principal.as_str())];
    if !key.is_empty() {
        headers.push(("idempotency-key", key));
    }
    let body = r#"{"carId":1}"#;
    send(ports, "POST", "/reservations", body, &headers)
}

/// Confirms a reservation, and cancels it.
fn cancel(ports: &TestPorts<'_>, id: u64) {
    deliver(ports, Event::PaymentApproved, id);
    let path = format!("/reservations/{id}");
    assert_eq!(send(ports, "DELETE", &path, "", &[]).status(), 200);
}

fn assert_refused(response: &Response) {
    assert_eq!(response.status(), 409, "{}", body(response));
    let problem = "https://socar.dev/problems/reservation-limit";
    assert_eq!(body(response)["type"], problem);
}

/// The values and counters of both stores.
fn stored(ports: &TestPorts<'_>) -> String {
    let platform = &ports.platform;
    format!(
        "{:?} {:?}",
        platform.state.snapshot(),
        platform.outbox.snapshot()
    )
}

#[test]
fn no_claim_of_a_customer_stays() {
    let contexts = FakeContexts::new();
    for denies_swaps in [false, true] {
        let ports = ports_with_limit(&contexts, "2");
        ports.platform.state.denies_swaps.set(denies_swaps);
        assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
        let stored = stored(&ports);
        assert!(stored.contains("live/alice"), "{stored}");
        assert!(!stored.contains("claim/live/alice"), "{stored}");
    }
}

#[test]
fn a_customer_with_as_many_reservations_as_allowed_is_refused_and_others_are_not() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "2");
    for id in [1, 2] {
        assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
        deliver(&ports, Event::PaymentApproved, id);
    }
    let refused = reserve_for(&ports, "alice", "");
    assert_refused(&refused);
    assert_eq!(body(&refused)["limit"], 2);
    assert_eq!(reserve_for(&ports, "bob", "").status(), 201);
    // An open platform has no customers.
    for _ in 0..3 {
        assert_eq!(reserve(&ports).status(), 201);
    }
}

#[test]
fn a_refused_request_leaves_nothing_behind() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "1");
    assert_eq!(reserve_for(&ports, "alice", "first").status(), 201);
    let before = stored(&ports);
    assert_refused(&reserve_for(&ports, "alice", ""));
    assert_refused(&reserve_for(&ports, "alice", "second"));
    assert_eq!(stored(&ports), before);
    // A key that was refused so was not used.
    cancel(&ports, 1);
    deliver(&ports, Event::PaymentCancelled, 1);
    assert_eq!(reserve_for(&ports, "alice", "second").status(), 201);
}

#[test]
fn a_repeated_request_gets_its_response_at_the_limit_too() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "1");
    let first = reserve_for(&ports, "alice", "k");
    let again = reserve_for(&ports, "alice", "k");
    assert_eq!(
        (first.status().as_u16(), first.body()),
        (201, again.body()),
        "{}",
        body(&again)
    );
}

#[test]
fn a_reservation_that_ends_makes_room() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "1");
    // Rejected: nothing is held.
    contexts.hold.set(Some(HoldOutcome::NotAvailable));
    for _ in 0..5 {
        let rejected = reserve_for(&ports, "alice", "");
        assert_eq!(body(&rejected)["reason"], "car-not-available");
    }
    contexts.hold.set(Some(HoldOutcome::Held { amount: 5 }));
    assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
    // A cancellation takes its place until the refund.
    cancel(&ports, 6);
    assert_refused(&reserve_for(&ports, "alice", ""));
    deliver(&ports, Event::PaymentCancelled, 6);
    assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
}

/// A process dies at any call of the first request: its place is free when the sweep has ended its saga.
#[test]
fn a_request_that_dies_at_any_call_keeps_no_place() {
    for key in ["", "k"] {
        for calls in 0..30 {
            let contexts = FakeContexts::new();
            let ports = ports_with_limit(&contexts, "1");
            ports.platform.state.fail_after(calls);
            let _ = reserve_for(&ports, "alice", key);
            ports.platform.state.recover();
            sweep_times(&ports, 30);
            let live = (1..3).find(|id| {
                let status = reservation(&ports, *id)["status"].clone();
                status == "reserved" || status == "reqReserve"
            });
            if let Some(id) = live {
                assert_refused(&reserve_for(&ports, "alice", ""));
                cancel(&ports, id);
                deliver(&ports, Event::PaymentCancelled, id);
            }
            let next = reserve_for(&ports, "alice", "");
            assert_eq!(next.status(), 201, "{calls}: {}", body(&next));
            assert_refused(&reserve_for(&ports, "alice", ""));
        }
    }
}

/// The place of a request in progress is taken, although its reservation is not stored yet.
#[test]
fn a_reservation_that_is_not_stored_yet_takes_a_place() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "1");
    let alice = CustomerId("alice".into());
    let note = block_on(ports.sagas().open(ReservationId(7))).unwrap();
    block_on(ports.live_reservations(&alice).enter(&note)).unwrap();
    assert_refused(&reserve_for(&ports, "alice", ""));
    block_on(ports.sagas().close(&note));
    assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
}

/// Another request of the customer takes the last place after the check: only the entry decides.
#[test]
fn a_request_that_loses_the_last_place_is_refused_before_anything_is_held() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "1");
    assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
    deliver(&ports, Event::PaymentApproved, 1);
    let number = block_on(ports.reservations().allocate_number()).unwrap();
    let (id, origin, alice) = (
        ReservationId(number),
        Origin::new("request"),
        CustomerId("alice".into()),
    );
    let lost = commands::reserve(&ports, &origin, id, CarId(1), Some(&alice));
    let lost = block_on(lost).unwrap_err();
    let expected = Refusal::LimitReached { limit: 1 };
    assert!(matches!(lost, ChangeError::Refused(refusal) if refusal == expected));
    assert_eq!(*contexts.held.borrow(), BTreeSet::from([1]));
    assert!(outbox_keys(&ports).is_empty());
    let list = body(&send(&ports, "GET", "/reservations", "", &[]));
    assert_eq!(list["page"]["totalElements"], 1);
}

/// Another request of the customer takes the last place after the check, and ends: the key was not used.
#[test]
fn a_key_that_loses_the_last_place_stays_unused() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "1");
    let note = block_on(ports.sagas().open(ReservationId(7))).unwrap();
    let entries = json!([[7, note.token.as_str()]]).to_string();
    // The first swap of a request with a key writes its record.
    ports.platform.state.after_next_swap(move |values| {
        values.insert("live/alice".into(), entries.into());
    });
    assert_refused(&reserve_for(&ports, "alice", "k"));
    assert!(!stored(&ports).contains("customer-idempotency/5/alice/k\": "));
    block_on(ports.sagas().close(&note));
    let reserved = reserve_for(&ports, "alice", "k");
    assert_eq!(reserved.status(), 201, "{}", body(&reserved));
    let again = reserve_for(&ports, "alice", "k");
    assert_eq!(
        (again.status().as_u16(), again.body()),
        (201, reserved.body())
    );
    let list = body(&send(&ports, "GET", "/reservations", "", &[]));
    assert_eq!(list["page"]["totalElements"], 1);
}

/// An attempt dies at any call, and another request takes its place until the next attempt was refused.
#[test]
fn a_key_of_a_dead_attempt_that_loses_its_place_stays_unused() {
    for calls in 0..30 {
        let contexts = FakeContexts::new();
        let ports = ports_with_limit(&contexts, "1");
        ports.platform.state.fail_after(calls);
        let _ = reserve_for(&ports, "alice", "k");
        ports.platform.state.recover();
        sweep_times(&ports, 30);
        let other = reserve_for(&ports, "alice", "");
        if other.status() == 201 {
            for _ in 0..12 {
                let refused = reserve_for(&ports, "alice", "k");
                assert_eq!(refused.status(), 409, "{calls}");
                ports.platform.advance(Duration::from_secs(1));
            }
            let id = body(&other)["rsvId"].as_u64().unwrap();
            cancel(&ports, id);
            deliver(&ports, Event::PaymentCancelled, id);
            let reserved = reserve_for(&ports, "alice", "k");
            assert_eq!(reserved.status(), 201, "{calls}: {}", body(&reserved));
        }
    }
}

/// As the key-value store of stock Spin on Redis does.
#[test]
fn a_provider_that_confirms_no_swap_keeps_the_limit() {
    let contexts = FakeContexts::new();
    let ports = ports_with_limit(&contexts, "3");
    ports.platform.state.denies_swaps.set(true);
    for _ in 0..3 {
        assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
    }
    assert_refused(&reserve_for(&ports, "alice", ""));
}

#[test]
fn a_limit_that_is_no_number_counts_as_the_default() {
    let contexts = FakeContexts::new();
    for limit in ["many", ""] {
        let ports = ports_with_limit(&contexts, limit);
        for _ in 0..DEFAULT_LIMIT {
            assert_eq!(reserve_for(&ports, "alice", "").status(), 201);
        }
        assert_refused(&reserve_for(&ports, "alice", ""));
    }
}
