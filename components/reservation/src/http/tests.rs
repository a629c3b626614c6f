use super::*;
use crate::{
    Guarded,
    ports::{Approval, Hold, Release, Unreachable},
    reactions,
};
use bytes::Bytes;
use events::{CarId, CloudEvent, Event, PaymentId, PaymentState};
use futures::executor::block_on;
use kit::{Breaker, Store, memory::MemoryPlatform};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::Duration,
};

/// The other contexts as the tests want them.
struct World {
    hold: Cell<Option<Hold>>,
    approval: Cell<Option<Approval>>,
    held: RefCell<BTreeSet<u64>>,
    paid: RefCell<BTreeSet<u64>>,
    undoing_fails: Cell<bool>,
    has_no_car: Cell<bool>,
}

fn silence() -> Unreachable {
    Unreachable {
        what: "silent".into(),
        retry_after: Some(7),
        may_have_arrived: true,
    }
}

impl Cars for &World {
    async fn hold(&self, _: &Origin, _: CarId, id: ReservationId) -> Result<Hold, Unreachable> {
        self.held.borrow_mut().insert(id.0);
        self.hold.get().ok_or_else(silence)
    }

    async fn release(
        &self,
        _: &Origin,
        _: CarId,
        id: ReservationId,
    ) -> Result<Release, Unreachable> {
        if self.undoing_fails.get() {
            return Err(silence());
        }
        if self.has_no_car.get() {
            return Ok(Release::UnknownCar);
        }
        self.held.borrow_mut().remove(&id.0);
        Ok(Release::Released)
    }
}

impl Payments for &World {
    async fn approve(
        &self,
        _: &Origin,
        id: ReservationId,
        _: CarId,
        _: u64,
    ) -> Result<Approval, Unreachable> {
        let approval = self.approval.get();
        if approval != Some(Approval::Declined) {
            self.paid.borrow_mut().insert(id.0);
        }
        approval.ok_or_else(silence)
    }

    async fn cancel(&self, _: &Origin, id: ReservationId) -> Result<(), Unreachable> {
        if self.undoing_fails.get() {
            return Err(silence());
        }
        self.paid.borrow_mut().remove(&id.0);
        Ok(())
    }

    async fn outcome(
        &self,
        _: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unreachable> {
        Ok(self
            .paid
            .borrow()
            .contains(&id.0)
            .then_some(PaymentId(id.0)))
    }
}

impl World {
    fn new() -> Self {
        Self {
            hold: Cell::new(Some(Hold::Held { amount: 5 })),
            approval: Cell::new(Some(Approval::Paid(PaymentId(1)))),
            held: RefCell::default(),
            paid: RefCell::default(),
            undoing_fails: Cell::new(false),
            has_no_car: Cell::new(false),
        }
    }

    fn desk(&self) -> TestDesk<'_> {
        Desk {
            platform: MemoryPlatform::new(),
            cars: self,
            payments: self,
        }
    }
}

type TestDesk<'a> = Desk<MemoryPlatform, &'a World, &'a World>;

fn send(
    desk: &TestDesk<'_>,
    method: &str,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Response {
    let mut request = ::http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "h");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    block_on(answer(
        desk,
        request
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap(),
    ))
}

fn reserve(desk: &TestDesk<'_>) -> Response {
    send(
        desk,
        "POST",
        "/reservations",
        r#"{"carId":1,"status":"reqReserve"}"#,
        &[],
    )
}

fn keyed(desk: &TestDesk<'_>, body: &str) -> Response {
    send(
        desk,
        "POST",
        "/reservations",
        body,
        &[("idempotency-key", "\"k\"")],
    )
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}

fn reservation(desk: &TestDesk<'_>, id: u64) -> Value {
    body(&send(desk, "GET", &format!("/reservations/{id}"), "", &[]))
}

fn deliver(desk: &TestDesk<'_>, event: fn(PaymentState) -> Event, rsv_id: u64) {
    let state = PaymentState {
        pay_id: PaymentId(rsv_id),
        rsv_id: ReservationId(rsv_id),
        car_id: CarId(1),
        amount: 5,
        status: "any".into(),
    };
    let event = CloudEvent {
        specversion: "1.0".into(),
        id: format!("payment/{rsv_id}/1"),
        source: "socar/payment".into(),
        subject: format!("payment/{rsv_id}"),
        time: desk.platform.now(),
        datacontenttype: "application/json".into(),
        sequence: 1,
        correlationid: "c".into(),
        causationid: "c".into(),
        traceparent: "t".into(),
        event: event(state),
    };
    block_on(reactions::react(desk, &event)).unwrap();
}

fn sweep_later(desk: &TestDesk<'_>) {
    desk.platform.advance(Duration::from_secs(30));
    block_on(sweep::sweep(desk)).unwrap();
}

fn todo(desk: &TestDesk<'_>) -> Vec<String> {
    block_on(desk.platform.outbox.keys()).unwrap()
}

#[test]
fn a_reservation_is_reserved_once_it_is_paid() {
    let world = World::new();
    let desk = world.desk();
    let created = reserve(&desk);
    assert_eq!(created.status(), 201);
    assert_eq!(created.headers()["location"], "http://h/reservations/1");
    assert_eq!(body(&created)["status"], "reqReserve");
    for _ in 0..2 {
        deliver(&desk, Event::PaymentApproved, 1);
    }
    assert_eq!(reservation(&desk, 1)["status"], "reserved");
    assert_eq!(reservation(&desk, 1)["payId"], 1);
    assert_eq!(
        desk.platform.announced(),
        ["ReservationCreated", "ReservationConfirmed"]
    );
    assert!(todo(&desk).is_empty());
}

#[test]
fn a_refusal_of_the_car_or_the_payment_is_told_as_what_it_is() {
    for (hold, approval, status, reason) in [
        (Some(Hold::NotAvailable), None, 409, "car-not-available"),
        (Some(Hold::UnknownCar), None, 404, "unknown-car"),
        (None, None, 503, "car-unreachable"),
        (
            Some(Hold::Held { amount: 1 }),
            Some(Approval::Declined),
            402,
            "payment-declined",
        ),
        (
            Some(Hold::Held { amount: 1 }),
            None,
            503,
            "payment-unreachable",
        ),
    ] {
        let world = World::new();
        world.hold.set(hold);
        world.approval.set(approval);
        let desk = world.desk();
        let refused = reserve(&desk);
        assert_eq!(refused.status(), status, "{reason}");
        assert_eq!(body(&refused)["reason"], reason);
        assert_eq!(refused.headers().contains_key("retry-after"), status == 503);
        assert_eq!(reservation(&desk, 1)["status"], "rejected");
        assert_eq!(reservation(&desk, 1)["reason"], reason);
        assert_eq!(
            desk.platform.announced(),
            ["ReservationCreated", "ReservationRejected"]
        );
        assert!(todo(&desk).is_empty(), "{reason}");
        assert!(world.paid.borrow().is_empty(), "{reason}");
    }
}

#[test]
fn the_silent_context_says_when_to_come_back() {
    let world = World::new();
    world.approval.set(None);
    assert_eq!(reserve(&world.desk()).headers()["retry-after"], "7");
}

/// Where no host has breakers: the customer hears at once what he would hear after waiting, and as
/// payment was never called, nothing of it needs to be undone.
#[test]
fn a_payment_that_is_cut_off_is_not_asked_and_leaves_nothing_to_undo() {
    let world = World::new();
    world.approval.set(None);
    let platform = MemoryPlatform::new();
    let desk = Desk {
        platform: &platform,
        cars: &world,
        payments: Guarded::new(&world, Some(Breaker::new(&platform, "payment"))),
    };
    let reserve = || {
        let request = ::http::Request::post("/reservations").header("host", "h");
        let body = Bytes::from_static(br#"{"carId":1}"#);
        block_on(answer(&desk, request.body(body).unwrap()))
    };
    // Each silence is two failures, the approval's and the cancel's.
    world.undoing_fails.set(true);
    for _ in 0..3 {
        assert_eq!(reserve().headers()["retry-after"], "7");
    }
    world.undoing_fails.set(false);
    let asked = world.paid.borrow().len();
    let refused = reserve();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(body(&refused)["reason"], "payment-unreachable");
    assert_eq!(world.paid.borrow().len(), asked, "it was asked");
    let id = body(&refused)["rsvId"].as_u64().unwrap();
    assert!(!world.held.borrow().contains(&id), "the car stays held");
    let todo = block_on(platform.outbox.keys()).unwrap();
    assert!(!todo.contains(&format!("saga/{id}")));
}

#[test]
fn what_cannot_be_undone_now_is_undone_by_the_sweep() {
    let world = World::new();
    world.approval.set(None);
    world.undoing_fails.set(true);
    let desk = world.desk();
    assert_eq!(reserve(&desk).status(), 503);
    assert_eq!(todo(&desk), ["saga/1"]);
    sweep_later(&desk);
    assert!(world.paid.borrow().contains(&1), "still silent");
    world.undoing_fails.set(false);
    sweep_later(&desk);
    assert!(world.paid.borrow().is_empty() && world.held.borrow().is_empty());
    assert!(todo(&desk).is_empty());
}

/// The hold is on its way, its release finds no car, the car is registered, the hold arrives.
#[test]
fn a_hold_that_outlives_its_release_because_the_car_came_late_is_released_again() {
    let world = World::new();
    world.hold.set(None);
    world.has_no_car.set(true);
    let desk = world.desk();
    assert_eq!(keyed(&desk, r#"{"carId":1}"#).status(), 503);
    assert_eq!(keyed(&desk, r#"{"carId":1}"#).status(), 503);
    assert_eq!(todo(&desk), ["saga/1"]);
    world.has_no_car.set(false);
    sweep_later(&desk);
    assert!(world.held.borrow().is_empty());
    assert!(todo(&desk).is_empty());
}

#[test]
fn a_saga_whose_car_never_comes_ends_all_the_same() {
    let world = World::new();
    world.hold.set(None);
    world.has_no_car.set(true);
    let desk = world.desk();
    reserve(&desk);
    sweep_later(&desk);
    assert!(todo(&desk).is_empty());
}

#[test]
fn a_payment_that_comes_after_the_rejection_is_returned() {
    let world = World::new();
    world.approval.set(None);
    let desk = world.desk();
    reserve(&desk);
    world.paid.borrow_mut().insert(1);
    deliver(&desk, Event::PaymentApproved, 1);
    assert_eq!(reservation(&desk, 1)["status"], "rejected");
    sweep_later(&desk);
    assert!(world.paid.borrow().is_empty());
}

#[test]
fn a_cancellation_ends_when_the_payment_is_returned() {
    let world = World::new();
    let desk = world.desk();
    reserve(&desk);
    deliver(&desk, Event::PaymentApproved, 1);
    let patched = send(
        &desk,
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
        deliver(&desk, Event::PaymentCancelled, 1);
    }
    assert_eq!(reservation(&desk, 1)["status"], "cancelled");
    assert_eq!(
        send(&desk, "DELETE", "/reservations/1", "", &[]).status(),
        200
    );
    assert_eq!(
        desk.platform.announced(),
        [
            "ReservationCreated",
            "ReservationConfirmed",
            "ReservationCancelRequested",
            "ReservationCancelled"
        ]
    );
    assert!(todo(&desk).is_empty());
}

#[test]
fn a_cancellation_whose_event_is_lost_is_ended_by_the_sweep() {
    let world = World::new();
    let desk = world.desk();
    reserve(&desk);
    deliver(&desk, Event::PaymentApproved, 1);
    send(&desk, "DELETE", "/reservations/1", "", &[]);
    sweep_later(&desk);
    assert_eq!(reservation(&desk, 1)["status"], "cancelled");
    assert!(world.paid.borrow().is_empty());
}

#[test]
fn wrong_requests_change_nothing_and_are_told_why() {
    let world = World::new();
    let desk = world.desk();
    for (body_sent, status, field) in [
        ("{", 400, Value::Null),
        ("{}", 422, json!("carId")),
        (r#"{"carId":"x"}"#, 422, json!("carId")),
        (r#"{"carId":0}"#, 422, json!("carId")),
        (r#"{"carId":18446744073709551615}"#, 422, json!("carId")),
        (r#"{"carId":1,"status":"reserved"}"#, 422, json!("status")),
        (r#"{"carId":1,"colour":"red"}"#, 422, json!("colour")),
    ] {
        let refused = send(&desk, "POST", "/reservations", body_sent, &[]);
        assert_eq!(refused.status(), status, "{body_sent}");
        assert_eq!(body(&refused)["field"], field, "{body_sent}");
    }
    assert_eq!(
        body(&send(&desk, "GET", "/reservations", "", &[]))["page"]["totalElements"],
        0
    );
    reserve(&desk);
    deliver(&desk, Event::PaymentApproved, 1);
    for body_sent in [
        "{}",
        r#"{"status":"reserved"}"#,
        r#"{"status":"reqCancel","carId":9}"#,
    ] {
        assert_eq!(
            send(&desk, "PATCH", "/reservations/1", body_sent, &[]).status(),
            422,
            "{body_sent}"
        );
    }
    let stale = [("if-match", "\"1\"")];
    assert_eq!(
        send(
            &desk,
            "PATCH",
            "/reservations/1",
            r#"{"status":"reqCancel"}"#,
            &stale
        )
        .status(),
        412
    );
    assert_eq!(reservation(&desk, 1)["status"], "reserved");
    assert_eq!(
        send(
            &desk,
            "PATCH",
            "/reservations/9",
            r#"{"status":"reqCancel"}"#,
            &[]
        )
        .status(),
        404
    );
}

#[test]
fn the_same_key_reserves_once() {
    let world = World::new();
    let desk = world.desk();
    let first = keyed(&desk, r#"{"carId":1}"#);
    let second = keyed(&desk, r#"{"carId": 1}"#);
    assert_eq!(
        (first.status(), first.body()),
        (second.status(), second.body())
    );
    assert_eq!(keyed(&desk, r#"{"carId":2}"#).status(), 422);
    assert_eq!(world.held.borrow().len(), 1);
}

/// Wherever the store falls silent, the sweep and the customer's next try lead to an end in which
/// everything agrees.
#[test]
fn a_first_attempt_that_dies_anywhere_is_resolved_by_the_next() {
    for calls in 0..24 {
        let world = World::new();
        let desk = world.desk();
        desk.platform.state.fail_after(calls);
        let _ = keyed(&desk, r#"{"carId":1}"#);
        desk.platform.state.mend();
        desk.platform.advance(Duration::from_secs(15));
        let again = keyed(&desk, r#"{"carId":1}"#);
        assert_eq!(again.status(), 201, "{calls}: {}", body(&again));
        let id = body(&again)["rsvId"].as_u64().unwrap();
        deliver(&desk, Event::PaymentApproved, id);
        for _ in 0..3 {
            desk.platform.advance(Duration::from_secs(130));
            block_on(sweep::sweep(&desk)).unwrap();
        }
        assert_eq!(reservation(&desk, id)["status"], "reserved", "{calls}");
        assert_eq!(*world.paid.borrow(), BTreeSet::from([id]), "{calls}");
        assert_eq!(*world.held.borrow(), BTreeSet::from([id]), "{calls}");
        assert!(todo(&desk).is_empty(), "{calls}");
    }
}

/// A payment whose outcome is unknown, and a store that stumbles before that is noted: the
/// customer must not be told that there is no car, while the first attempt has it and is paid.
#[test]
fn the_answer_to_a_key_speaks_for_all_its_attempts() {
    for calls in 0..24 {
        let world = World::new();
        world.approval.set(None);
        let desk = world.desk();
        desk.platform.state.stumble_after(calls);
        let _ = keyed(&desk, r#"{"carId":1}"#);
        desk.platform.state.mend();
        if !world.held.borrow().is_empty() {
            world.hold.set(Some(Hold::NotAvailable));
        }
        let mut again = keyed(&desk, r#"{"carId":1}"#);
        if again.status() == 409 && body(&again)["rsvId"].is_null() {
            desk.platform.advance(Duration::from_secs(15));
            again = keyed(&desk, r#"{"carId":1}"#);
        }
        for id in world.paid.borrow().clone() {
            deliver(&desk, Event::PaymentApproved, id);
        }
        let stands = |id: &u64| reservation(&desk, *id)["status"] == "reserved";
        let standing = (1..4).filter(stands).count();
        assert_eq!(
            standing == 1,
            again.status() == 201,
            "{calls}: {}",
            body(&again)
        );
    }
}

/// Found by the simulation, once in 124 526 schedules: the sweep had just seen that the note of a number
/// was old when the customer's next try made a reservation under it. The sweep ended that one, while
/// the customer was told that he had it.
#[test]
fn a_number_whose_note_is_old_is_not_used_any_more() {
    let world = World::new();
    let desk = world.desk();
    // Dies after its number was noted, before the reservation is stored.
    desk.platform.state.fail_after(7);
    keyed(&desk, r#"{"carId":1}"#);
    desk.platform.state.mend();
    assert_eq!(todo(&desk), ["saga/1"]);
    desk.platform.advance(Duration::from_secs(10));
    assert_eq!(body(&keyed(&desk, r#"{"carId":1}"#))["rsvId"], 2);
}

#[test]
fn a_number_that_a_crash_took_does_not_count() {
    let world = World::new();
    let desk = world.desk();
    desk.platform.state.stumble_after(1);
    assert_eq!(reserve(&desk).status(), 503);
    reserve(&desk);
    for _ in 0..2 {
        send(&desk, "GET", "/reservations", "", &[]);
        desk.platform.advance(Duration::from_secs(130));
        block_on(sweep::sweep(&desk)).unwrap();
    }
    let list = body(&send(&desk, "GET", "/reservations", "", &[]));
    assert_eq!(list["_embedded"]["reservations"][0]["rsvId"], 2);
    assert_eq!(list["page"]["totalElements"], 1);
}
