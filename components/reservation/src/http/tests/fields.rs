//! The fields of a body, and null for an unset one.

use super::*;

/// Many clients send null for every field that they have not set.
#[test]
fn a_null_in_a_new_reservation_counts_as_absent() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    let unset =
        r#"{"rsvId":null,"carId":1,"payId":null,"status":null,"reason":null,"customerId":null}"#;
    let created = send(&ports, "POST", "/reservations", unset, &[]);
    assert_eq!(created.status(), 201);
    let refused = send(&ports, "POST", "/reservations", r#"{"carId":null}"#, &[]);
    assert_eq!(refused.status(), 422);
    assert_eq!(body(&refused)["field"], "carId");
}

#[test]
fn a_null_in_a_cancellation_counts_as_absent() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    let patch = |body: &str| send(&ports, "PATCH", "/reservations/1", body, &[]);
    let refused = patch(r#"{"status":null,"payId":null}"#);
    assert_eq!(refused.status(), 422);
    assert_eq!(body(&refused)["field"], "status");
    let other = patch(r#"{"status":"reqCancel","payId":99}"#);
    assert_eq!(body(&other)["field"], "payId");
    let unset = r#"{"rsvId":null,"carId":null,"payId":null,"status":"reqCancel","reason":null,"customerId":null}"#;
    let cancelled = patch(unset);
    assert_eq!(cancelled.status(), 200);
    assert_eq!(body(&cancelled)["status"], "reqCancel");
}

/// A member that repeats what GET returned is accepted, whatever GET returns to this principal.
#[test]
fn a_cancellation_may_repeat_the_reservation_as_it_was_read() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    let alice = [("socar-principal", "customer alice")];
    let send_back = |path: &str, changes: Value| {
        let mut sent = body(&send(&ports, "GET", path, "", &alice));
        let changes = changes.as_object().unwrap().clone();
        sent.as_object_mut().unwrap().extend(changes);
        send(&ports, "PATCH", path, &sent.to_string(), &alice)
    };
    let created = send(&ports, "POST", "/reservations", r#"{"carId":1}"#, &alice);
    assert_eq!(body(&created)["customerId"], "alice");
    deliver(&ports, Event::PaymentApproved, 1);
    let of_another = json!({"status": "reqCancel", "customerId": "bob"});
    let refused = send_back("/reservations/1", of_another);
    assert_eq!(refused.status(), 422);
    assert_eq!(body(&refused)["field"], "customerId");
    let cancelled = send_back("/reservations/1", json!({"status": "reqCancel"}));
    assert_eq!(cancelled.status(), 200, "{}", body(&cancelled));
    contexts.hold.set(Some(HoldOutcome::NotAvailable));
    let rejected = send(&ports, "POST", "/reservations", r#"{"carId":1}"#, &alice);
    assert_eq!(rejected.status(), 409);
    let refused = send_back("/reservations/2", json!({"status": "reqCancel"}));
    let problem = "https://socar.dev/problems/reservation-rejected";
    assert_eq!(body(&refused)["type"], problem, "{}", body(&refused));
}

#[test]
fn an_invalid_request_changes_nothing_and_names_the_field() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
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

#[test]
fn a_reservation_is_not_cancelled_unless_its_conditions_are_met() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    let current = send(&ports, "GET", "/reservations/1", "", &[]).headers()["etag"].clone();
    let current = current.to_str().unwrap();
    for (name, value) in [
        ("if-none-match", current),
        ("if-none-match", "*"),
        ("if-match", "\"777\""),
    ] {
        let cancel = r#"{"status":"reqCancel"}"#;
        for (method, body_sent) in [("PATCH", cancel), ("DELETE", "")] {
            let path = "/reservations/1";
            let refused = send(&ports, method, path, body_sent, &[(name, value)]);
            assert_eq!(refused.status(), 412, "{method} {name}: {value}");
        }
    }
    assert_eq!(reservation(&ports, 1)["status"], "reserved");
    let met = [("if-match", current), ("if-none-match", "\"777\"")];
    assert_eq!(
        send(&ports, "DELETE", "/reservations/1", "", &met).status(),
        200
    );
}
