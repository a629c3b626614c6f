//! The HTTP surface, as a client sees it.

use super::*;
use ::http::{Method, header};
use kit::http::Response;
use serde_json::{Value, json};

fn send<G: Gateway>(
    ports: &PaymentPorts<MemoryPlatform, G>,
    method: Method,
    path: &str,
    body: &Value,
) -> Response {
    let body = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let host = "socar.example".parse().unwrap();
    request.headers_mut().insert(header::HOST, host);
    block_on(crate::http::handle(ports, request))
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn get<G: Gateway>(ports: &PaymentPorts<MemoryPlatform, G>, path: &str) -> Value {
    let response = send(ports, Method::GET, path, &Value::Null);
    assert_eq!(response.status(), 200, "{path}");
    json_of(&response)
}

fn pay<G: Gateway>(
    ports: &PaymentPorts<MemoryPlatform, G>,
    reservation: u64,
    amount: u64,
) -> Response {
    let order = json!({"rsvId": reservation, "carId": 100 - reservation, "amount": amount});
    send(ports, Method::POST, "/internal/payments", &order)
}

fn assert_problem(response: &Response, status: u16, slug: &str) {
    assert_eq!(response.status(), status);
    let kind = format!("https://socar.dev/problems/{slug}");
    assert_eq!(json_of(response)["type"], kind);
}

#[test]
fn an_approved_payment_can_be_read() {
    let ports = with_built_in_gateway("");
    let approved = pay(&ports, 7, 50);
    assert_eq!(approved.status(), 200);
    assert_eq!(
        json_of(&approved),
        json!({"rsvId": 7, "payId": 1, "carId": 93, "amount": 50, "status": "paid"})
    );
    let link = json!({"href": "http://socar.example/payments/1"});
    assert_eq!(
        get(&ports, "/payments/1"),
        json!({
            "payId": 1, "rsvId": 7, "carId": 93, "amount": 50, "status": "paid",
            "_links": {"self": link, "payment": link},
        })
    );
}

#[test]
fn a_second_approval_returns_the_first_payment() {
    let ports = with_built_in_gateway("");
    let first = json_of(&pay(&ports, 7, 50));
    assert_eq!(json_of(&pay(&ports, 7, 50)), first);
    assert_eq!(list(&ports), (vec!["paid"], 1));
    assert_eq!(ports.platform.published_types(), ["PaymentApproved"]);
}

/// As over the typed interface: the caller is a context, and acts for the customer.
#[test]
fn the_actor_of_an_approval_is_the_customer() {
    let ports = with_built_in_gateway("");
    let order = json!({"rsvId": 7, "carId": 1, "amount": 50, "customerId": "alice"});
    let approved = send(&ports, Method::POST, "/internal/payments", &order);
    assert_eq!(approved.status(), 200);
    pay(&ports, 8, 50);
    let log = ports.platform.log.borrow();
    let actors: Vec<_> = log
        .iter()
        .map(|(_, event)| event.actor.as_deref())
        .collect();
    assert_eq!(actors, [Some("alice"), None]);
}

#[test]
fn a_second_cancel_refunds_nothing() {
    let ports = with_built_in_gateway("");
    pay(&ports, 7, 50);
    for _ in 0..2 {
        let response = send(&ports, Method::DELETE, "/internal/payments/7", &Value::Null);
        assert_eq!(response.status(), 200);
        assert_eq!(json_of(&response)["status"], "cancelled");
        assert_eq!(json_of(&response)["payId"], 1);
    }
    assert_eq!(get(&ports, "/payments/1")["status"], "cancelled");
    assert_eq!(
        ports.platform.published_types(),
        ["PaymentApproved", "PaymentCancelled"]
    );
    let log = ports.platform.log.borrow();
    let order: Vec<_> = log
        .iter()
        .map(|(stream, event)| (stream.as_str(), event.subject.as_str(), event.sequence))
        .collect();
    assert_eq!(
        order,
        [
            ("socar.payment", "payment/7", 1),
            ("socar.payment", "payment/7", 2)
        ]
    );
}

#[test]
fn an_approval_after_a_cancel_is_refused() {
    let ports = with_built_in_gateway("");
    let cancelled = send(&ports, Method::DELETE, "/internal/payments/7", &Value::Null);
    assert_eq!(json_of(&cancelled), json!({"rsvId": 7, "status": "none"}));
    assert_problem(&pay(&ports, 7, 50), 409, "payment-cancelled");
    assert_eq!(list(&ports), (vec![], 0));
    assert_eq!(ports.platform.published_types(), [""; 0]);
}

#[test]
fn reading_the_outcome_changes_nothing() {
    let ports = with_built_in_gateway("");
    let read = || get(&ports, "/internal/payments/7")["status"].clone();
    assert_eq!(read(), "none");
    pay(&ports, 7, 50);
    assert_eq!(read(), "paid");
    cancel(&ports).unwrap();
    assert_eq!(read(), "cancelled");
}

#[test]
fn a_declined_approval_leaves_no_payment() {
    let ports = with_built_in_gateway("49");
    assert_problem(&pay(&ports, 7, 50), 402, "payment-declined");
    assert_eq!(list(&ports), (vec![], 0));
    assert_eq!(pay(&ports, 7, 49).status(), 200);
}

#[test]
fn an_unknown_outcome_is_a_503_with_retry_after() {
    let ports = with_remote_gateway();
    ports
        .gateway
        .response
        .set(crate::fake_gateway::FakeResponse::FailsUncharged);
    let response = pay(&ports, 7, 50);
    assert_problem(&response, 503, "unavailable");
    assert!(response.headers().contains_key(header::RETRY_AFTER));
}

#[test]
fn an_approval_that_was_not_requested_has_a_problem_type_of_its_own() {
    let ports = with_remote_gateway();
    let response = &ports.gateway.response;
    response.set(crate::fake_gateway::FakeResponse::NotRequested);
    let response = pay(&ports, 7, 50);
    assert_problem(&response, 503, "payment-not-asked");
    assert_eq!(response.headers()[header::RETRY_AFTER], "60");
}

#[test]
fn an_invalid_order_names_the_field() {
    let ports = with_built_in_gateway("");
    for (order, field) in [
        (json!({"carId": 1, "amount": 1}), "rsvId"),
        (json!({"rsvId": 0, "carId": 1, "amount": 1}), "rsvId"),
        (json!({"rsvId": 1, "amount": 1}), "carId"),
        (json!({"rsvId": 1, "carId": 1, "amount": -1}), "amount"),
        (
            json!({"rsvId": 1, "carId": 1, "amount": 1, "to": "me"}),
            "to",
        ),
    ] {
        let response = send(&ports, Method::POST, "/internal/payments", &order);
        assert_problem(&response, 422, "invalid-field");
        assert_eq!(json_of(&response)["field"], field);
    }
}

#[test]
fn clients_can_only_read() {
    let ports = with_built_in_gateway("");
    pay(&ports, 7, 50);
    for path in ["/payments", "/payments/1"] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let response = send(&ports, method, path, &Value::Null);
            assert_problem(&response, 405, "method-not-allowed");
            assert_eq!(response.headers()[header::ALLOW], "GET, HEAD, OPTIONS");
        }
    }
    for path in [
        "/payments/2",
        "/payments/01",
        "/payments/x",
        "/payments/internal/payments",
    ] {
        let response = send(&ports, Method::GET, path, &Value::Null);
        assert_problem(&response, 404, "not-found");
    }
}

#[test]
fn a_payment_that_has_not_changed_is_not_sent_again() {
    let ports = with_built_in_gateway("");
    pay(&ports, 7, 50);
    let tag = |ports| {
        let response = send(ports, Method::GET, "/payments/1", &Value::Null);
        response.headers()[header::ETAG].clone()
    };
    let before = tag(&ports);
    cancel(&ports).unwrap();
    assert_ne!(tag(&ports), before);
}

#[test]
fn lists_are_sorted_by_any_column_and_then_by_number() {
    let ports = with_built_in_gateway("");
    for (reservation, amount) in [(7, 30), (8, 10), (9, 30)] {
        pay(&ports, reservation, amount);
    }
    cancel(&ports).unwrap();
    let order = |query: &str| -> Vec<u64> {
        let page = get(&ports, &format!("/payments?{query}"));
        let rows = page["_embedded"]["payments"].as_array().unwrap();
        rows.iter()
            .map(|row| row["payId"].as_u64().unwrap())
            .collect()
    };
    for (query, expected) in [
        ("", [1, 2, 3]),
        ("sort=payId,desc", [3, 2, 1]),
        ("sort=rsvId,desc", [3, 2, 1]),
        ("sort=carId", [3, 2, 1]),
        ("sort=amount", [2, 1, 3]),
        ("sort=amount,desc", [1, 3, 2]),
        ("sort=status", [1, 2, 3]),
        ("sort=status,desc", [2, 3, 1]),
    ] {
        assert_eq!(order(query), expected, "{query}");
    }
    assert_eq!(order("size=2&page=1"), [3]);
    assert_eq!(order("size=2&page=1&sort=amount"), [3]);
    assert_eq!(get(&ports, "/payments?size=2")["page"]["totalPages"], 2);
    let wrong = send(&ports, Method::GET, "/payments?sort=colour", &Value::Null);
    assert_problem(&wrong, 400, "bad-query");
}

#[test]
fn an_allocated_number_without_a_payment_is_not_listed() {
    let ports = with_built_in_gateway("");
    block_on(ports.payments().allocate_number(RESERVATION)).unwrap();
    pay(&ports, 7, 50);
    let page = get(&ports, "/payments");
    assert_eq!(page["_embedded"]["payments"][0]["payId"], 2);
    assert_eq!(page["_embedded"]["payments"].as_array().unwrap().len(), 1);
}

#[test]
fn the_response_to_a_sweep_counts_what_it_did() {
    let ports = with_built_in_gateway("");
    let swept = send(&ports, Method::POST, "/internal/sweep", &Value::Null);
    assert_eq!(
        json_of(&swept),
        json!({"published": 0, "forgotten": 0, "settled": 0, "open": 0, "repeated": 0, "retired": 0})
    );
}

#[test]
fn a_payment_has_a_number_of_its_own_after_the_loss_of_the_counter() {
    let ports = with_built_in_gateway("");
    for reservation in [7, 8, 9] {
        pay(&ports, reservation, 50);
    }
    block_on(kit::Store::delete(&ports.platform.state, "ids")).unwrap();
    assert_eq!(json_of(&pay(&ports, 10, 60))["payId"], 4);
    assert_eq!(get(&ports, "/payments/1")["rsvId"], 7);
    assert_eq!(list(&ports).1, 4);
}
