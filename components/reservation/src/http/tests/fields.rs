//! What a body may say, and what a client may leave unset in it.

use super::*;

/// Many clients write down every field that they have not set.
#[test]
fn a_null_in_a_new_reservation_is_as_if_absent() {
    let world = World::new();
    let ports = world.ports();
    let unset = r#"{"rsvId":null,"carId":1,"payId":null,"status":null}"#;
    let created = send(&ports, "POST", "/reservations", unset, &[]);
    assert_eq!(created.status(), 201);
    let refused = send(&ports, "POST", "/reservations", r#"{"carId":null}"#, &[]);
    assert_eq!(refused.status(), 422);
    assert_eq!(body(&refused)["field"], "carId");
}

#[test]
fn a_null_beside_the_wish_to_cancel_is_as_if_absent() {
    let world = World::new();
    let ports = world.ports();
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    let patch = |body: &str| send(&ports, "PATCH", "/reservations/1", body, &[]);
    let refused = patch(r#"{"status":null,"payId":null}"#);
    assert_eq!(refused.status(), 422);
    assert_eq!(body(&refused)["field"], "status");
    let other = patch(r#"{"status":"reqCancel","payId":99}"#);
    assert_eq!(body(&other)["field"], "payId");
    let cancelled = patch(r#"{"rsvId":null,"carId":null,"payId":null,"status":"reqCancel"}"#);
    assert_eq!(cancelled.status(), 200);
    assert_eq!(body(&cancelled)["status"], "reqCancel");
}
