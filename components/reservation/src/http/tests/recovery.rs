//! What a crash, a silence or a lost event left over is brought to an end.

use super::*;

#[test]
fn what_cannot_be_undone_now_is_undone_by_the_sweep() {
    let world = World::new();
    world.approval.set(None);
    world.undoing_fails.set(true);
    let ports = world.ports();
    assert_eq!(reserve(&ports).status(), 503);
    assert_eq!(todo(&ports), ["saga/1"]);
    sweep_later(&ports);
    assert!(world.paid.borrow().contains(&1), "still silent");
    world.undoing_fails.set(false);
    sweep_later(&ports);
    assert!(world.paid.borrow().is_empty() && world.held.borrow().is_empty());
    assert!(todo(&ports).is_empty());
}

/// The hold is on its way, its release finds no car, the car is registered, the hold arrives.
#[test]
fn a_hold_that_outlives_its_release_because_the_car_came_late_is_released_again() {
    let world = World::new();
    world.hold.set(None);
    world.has_no_car.set(true);
    let ports = world.ports();
    assert_eq!(keyed(&ports, r#"{"carId":1}"#).status(), 503);
    assert_eq!(keyed(&ports, r#"{"carId":1}"#).status(), 503);
    assert_eq!(todo(&ports), ["saga/1"]);
    world.has_no_car.set(false);
    sweep_later(&ports);
    assert!(world.held.borrow().is_empty());
    assert!(todo(&ports).is_empty());
}

#[test]
fn a_saga_whose_car_never_comes_ends_all_the_same() {
    let world = World::new();
    world.hold.set(None);
    world.has_no_car.set(true);
    let ports = world.ports();
    reserve(&ports);
    sweep_later(&ports);
    assert!(todo(&ports).is_empty());
}

#[test]
fn a_payment_that_comes_after_the_rejection_is_returned() {
    let world = World::new();
    world.approval.set(None);
    let ports = world.ports();
    reserve(&ports);
    world.paid.borrow_mut().insert(1);
    deliver(&ports, Event::PaymentApproved, 1);
    assert_eq!(reservation(&ports, 1)["status"], "rejected");
    sweep_later(&ports);
    assert!(world.paid.borrow().is_empty());
}

#[test]
fn a_cancellation_whose_event_is_lost_is_ended_by_the_sweep() {
    let world = World::new();
    let ports = world.ports();
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    send(&ports, "DELETE", "/reservations/1", "", &[]);
    sweep_later(&ports);
    assert_eq!(reservation(&ports, 1)["status"], "cancelled");
    assert!(world.paid.borrow().is_empty());
}

#[test]
fn a_number_that_a_crash_took_does_not_count() {
    let world = World::new();
    let ports = world.ports();
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
