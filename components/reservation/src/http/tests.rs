//! What people ask and are told, and what events make of it, over contexts that answer as a test wants.

use super::*;
use crate::{
    WithBreaker,
    ports::{ApprovalOutcome, HoldOutcome, ReleaseOutcome, RemoteCallError, RemoteEffect},
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

mod fields;
mod idempotency;
mod recovery;
mod timeline;

/// The other contexts as the tests want them.
struct World {
    hold: Cell<Option<HoldOutcome>>,
    approval: Cell<Option<ApprovalOutcome>>,
    held: RefCell<BTreeSet<u64>>,
    paid: RefCell<BTreeSet<u64>>,
    undoing_fails: Cell<bool>,
    has_no_car: Cell<bool>,
    /// What an approval without an answer may have done.
    effect: Cell<RemoteEffect>,
    /// How often payment was told to cancel.
    cancels: Cell<u32>,
}

fn silence(effect: RemoteEffect) -> RemoteCallError {
    RemoteCallError {
        message: "silent".into(),
        retry_after: Some(7),
        effect,
    }
}

impl Cars for &World {
    async fn hold(
        &self,
        _: &Origin,
        _: CarId,
        id: ReservationId,
    ) -> Result<HoldOutcome, RemoteCallError> {
        self.held.borrow_mut().insert(id.0);
        self.hold.get().ok_or(silence(RemoteEffect::Unknown))
    }

    async fn release(
        &self,
        _: &Origin,
        _: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, RemoteCallError> {
        if self.undoing_fails.get() {
            return Err(silence(RemoteEffect::TimedOut));
        }
        if self.has_no_car.get() {
            return Ok(ReleaseOutcome::UnknownCar);
        }
        self.held.borrow_mut().remove(&id.0);
        Ok(ReleaseOutcome::Released)
    }
}

impl Payments for &World {
    async fn approve(
        &self,
        _: &Origin,
        id: ReservationId,
        _: CarId,
        _: u64,
    ) -> Result<ApprovalOutcome, RemoteCallError> {
        let approval = self.approval.get();
        let is_nothing = approval.is_none() && self.effect.get() == RemoteEffect::None;
        if approval != Some(ApprovalOutcome::Declined) && !is_nothing {
            self.paid.borrow_mut().insert(id.0);
        }
        approval.ok_or(silence(self.effect.get()))
    }

    async fn cancel(&self, _: &Origin, id: ReservationId) -> Result<(), RemoteCallError> {
        self.cancels.set(self.cancels.get() + 1);
        if self.undoing_fails.get() {
            return Err(silence(RemoteEffect::TimedOut));
        }
        self.paid.borrow_mut().remove(&id.0);
        Ok(())
    }

    async fn paid_payment(
        &self,
        _: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, RemoteCallError> {
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
            hold: Cell::new(Some(HoldOutcome::Held { amount: 5 })),
            approval: Cell::new(Some(ApprovalOutcome::Paid(PaymentId(1)))),
            held: RefCell::default(),
            paid: RefCell::default(),
            undoing_fails: Cell::new(false),
            has_no_car: Cell::new(false),
            effect: Cell::new(RemoteEffect::Unknown),
            cancels: Cell::new(0),
        }
    }

    fn ports(&self) -> TestPorts<'_> {
        ReservationPorts {
            platform: MemoryPlatform::new(),
            cars: self,
            payments: self,
        }
    }
}

type TestPorts<'a> = ReservationPorts<MemoryPlatform, &'a World, &'a World>;

fn send(
    ports: &TestPorts<'_>,
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
        ports,
        request
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap(),
    ))
}

fn reserve(ports: &TestPorts<'_>) -> Response {
    send(
        ports,
        "POST",
        "/reservations",
        r#"{"carId":1,"status":"reqReserve"}"#,
        &[],
    )
}

fn keyed(ports: &TestPorts<'_>, body: &str) -> Response {
    send(
        ports,
        "POST",
        "/reservations",
        body,
        &[("idempotency-key", "\"k\"")],
    )
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}

fn reservation(ports: &TestPorts<'_>, id: u64) -> Value {
    body(&send(ports, "GET", &format!("/reservations/{id}"), "", &[]))
}

fn deliver(ports: &TestPorts<'_>, event: fn(PaymentState) -> Event, rsv_id: u64) {
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
        time: ports.platform.now(),
        datacontenttype: "application/json".into(),
        sequence: 1,
        correlationid: "c".into(),
        causationid: "c".into(),
        traceparent: "t".into(),
        event: event(state),
    };
    block_on(reactions::react(ports, &event)).unwrap();
}

fn sweep_later(ports: &TestPorts<'_>) {
    ports.platform.advance(Duration::from_secs(30));
    block_on(sweep::sweep(ports)).unwrap();
}

fn todo(ports: &TestPorts<'_>) -> Vec<String> {
    block_on(ports.platform.outbox.keys()).unwrap()
}

#[test]
fn a_reservation_is_reserved_once_it_is_paid() {
    let world = World::new();
    let ports = world.ports();
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
    assert!(todo(&ports).is_empty());
}

#[test]
fn a_refusal_of_the_car_or_the_payment_is_told_as_what_it_is() {
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
        let world = World::new();
        world.hold.set(hold);
        world.approval.set(approval);
        let ports = world.ports();
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
        assert!(todo(&ports).is_empty(), "{reason}");
        assert!(world.paid.borrow().is_empty(), "{reason}");
    }
}

#[test]
fn the_silent_context_says_when_to_come_back() {
    let world = World::new();
    world.approval.set(None);
    assert_eq!(reserve(&world.ports()).headers()["retry-after"], "7");
}

#[test]
fn who_has_asked_nobody_for_money_is_not_told_to_cancel() {
    let world = World::new();
    world.approval.set(None);
    world.effect.set(RemoteEffect::None);
    let ports = world.ports();
    let refused = reserve(&ports);
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "7");
    assert_eq!(world.cancels.get(), 0);
    assert!(world.held.borrow().is_empty(), "the car stays held");
    assert!(todo(&ports).is_empty());
}

#[test]
fn a_payment_context_that_was_silent_is_not_waited_for_twice() {
    let world = World::new();
    world.approval.set(None);
    world.effect.set(RemoteEffect::TimedOut);
    let ports = world.ports();
    assert_eq!(reserve(&ports).status(), 503);
    assert_eq!(world.cancels.get(), 0);
    assert!(world.held.borrow().is_empty(), "the car stays held");
    assert_eq!(todo(&ports), ["saga/1"]);
    sweep_later(&ports);
    assert!(world.paid.borrow().is_empty());
    assert!(todo(&ports).is_empty());
}

/// Where no host has breakers: the customer hears at once what he would hear after waiting, and as
/// payment was never called, nothing of it needs to be undone.
#[test]
fn a_payment_that_is_open_is_not_asked_and_leaves_nothing_to_undo() {
    let world = World::new();
    world.approval.set(None);
    let platform = MemoryPlatform::new();
    let ports = ReservationPorts {
        platform: &platform,
        cars: &world,
        payments: WithBreaker::new(&world, Some(Breaker::new(&platform, "payment"))),
    };
    let reserve = || {
        let request = ::http::Request::post("/reservations").header("host", "h");
        let body = Bytes::from_static(br#"{"carId":1}"#);
        block_on(answer(&ports, request.body(body).unwrap()))
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
fn a_cancellation_ends_when_the_payment_is_returned() {
    let world = World::new();
    let ports = world.ports();
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
    assert!(todo(&ports).is_empty());
}

#[test]
fn wrong_requests_change_nothing_and_are_told_why() {
    let world = World::new();
    let ports = world.ports();
    for (body_sent, status, field) in [
        ("{", 400, Value::Null),
        ("{}", 422, json!("carId")),
        (r#"{"carId":"x"}"#, 422, json!("carId")),
        (r#"{"carId":0}"#, 422, json!("carId")),
        (r#"{"carId":18446744073709551615}"#, 422, json!("carId")),
        (r#"{"carId":1,"status":"reserved"}"#, 422, json!("status")),
        (r#"{"carId":1,"colour":"red"}"#, 422, json!("colour")),
    ] {
        let refused = send(&ports, "POST", "/reservations", body_sent, &[]);
        assert_eq!(refused.status(), status, "{body_sent}");
        assert_eq!(body(&refused)["field"], field, "{body_sent}");
    }
    assert_eq!(
        body(&send(&ports, "GET", "/reservations", "", &[]))["page"]["totalElements"],
        0
    );
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    for body_sent in [
        "{}",
        r#"{"status":"reserved"}"#,
        r#"{"status":"reqCancel","carId":9}"#,
    ] {
        assert_eq!(
            send(&ports, "PATCH", "/reservations/1", body_sent, &[]).status(),
            422,
            "{body_sent}"
        );
    }
    let stale = [("if-match", "\"1\"")];
    assert_eq!(
        send(
            &ports,
            "PATCH",
            "/reservations/1",
            r#"{"status":"reqCancel"}"#,
            &stale
        )
        .status(),
        412
    );
    assert_eq!(reservation(&ports, 1)["status"], "reserved");
    assert_eq!(
        send(
            &ports,
            "PATCH",
            "/reservations/9",
            r#"{"status":"reqCancel"}"#,
            &[]
        )
        .status(),
        404
    );
}
