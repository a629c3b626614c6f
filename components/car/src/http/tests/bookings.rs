//! The bookings of a car: hold and release by the reservation context, and its events.

use super::*;

fn hold(cars: &CarRepository<MemoryPlatform>, car: u64, rsv_id: u64) -> Response {
    let body = json!({ "rsvId": rsv_id }).to_string();
    send(cars, "POST", &format!("/internal/cars/{car}/hold"), &body)
}

fn release(cars: &CarRepository<MemoryPlatform>, car: u64) -> Response {
    let path = format!("/internal/cars/{car}/release");
    send(cars, "POST", &path, r#"{"rsvId":1}"#)
}

#[test]
fn a_held_car_refuses_other_holds_until_its_release() {
    let cars = repository();
    register(&cars, "A");
    assert_eq!(hold(&cars, 1, 1).status(), 200);
    assert_eq!(hold(&cars, 1, 1).status(), 200);
    assert_eq!(hold(&cars, 1, 2).status(), 409);
    assert_eq!(send(&cars, "DELETE", "/cars/1", "").status(), 409);
    assert_eq!(release(&cars, 1).status(), 200);
    assert_eq!(hold(&cars, 1, 2).status(), 200);
    assert_eq!(hold(&cars, 9, 1).status(), 404);
}

/// The 404 of an unknown path has the same problem type, and is no statement about a car.
#[test]
fn the_problem_of_an_unknown_car_carries_its_number() {
    let cars = repository();
    for response in [hold(&cars, 9, 1), release(&cars, 9)] {
        assert_eq!(response.status(), 404);
        assert_eq!(body(&response)["carId"], 9);
    }
}

/// The caller must know that a delayed hold would succeed if the car were registered before it arrives.
#[test]
fn a_release_of_a_car_that_was_never_registered_is_not_found() {
    let cars = repository();
    assert_eq!(release(&cars, 1).status(), 404);
    register(&cars, "Kia");
    send(&cars, "DELETE", "/cars/1", "");
    let deleted = release(&cars, 1).status();
    assert_eq!(deleted, 200, "a deleted car refuses every hold");
}

#[test]
fn an_event_that_is_delivered_twice_has_its_effect_once() {
    let cars = repository();
    register(&cars, "A");
    hold(&cars, 1, 1);
    for _ in 0..2 {
        deliver(&cars, Event::ReservationConfirmed, 1);
        assert_eq!(status(&cars), "reserved");
    }
    for _ in 0..2 {
        deliver(&cars, Event::ReservationCancelled, 1);
        assert_eq!(status(&cars), "available");
    }
    assert_eq!(
        cars.platform.published_types(),
        ["CarRegistered", "CarReserved", "CarCancelled"]
    );
}

#[test]
fn a_cancellation_that_arrives_before_the_confirmation_wins() {
    let cars = repository();
    register(&cars, "A");
    hold(&cars, 1, 1);
    deliver(&cars, Event::ReservationCancelled, 1);
    deliver(&cars, Event::ReservationConfirmed, 1);
    assert_eq!(status(&cars), "available");
}
