use super::*;
use crate::reactions;
use bytes::Bytes;
use events::{CloudEvent, Event, ReservationState};
use futures::executor::block_on;
use kit::memory::MemoryPlatform;

fn cars() -> CarRepository<MemoryPlatform> {
    CarRepository::new(MemoryPlatform::new())
}

fn send(cars: &CarRepository<MemoryPlatform>, method: &str, path: &str, body: &str) -> Response {
    send_with(cars, method, path, body, &[])
}

fn send_with(
    cars: &CarRepository<MemoryPlatform>,
    method: &str,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Response {
    let mut request = ::http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "h")
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap();
    block_on(answer(cars, request))
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}

fn register(cars: &CarRepository<MemoryPlatform>, name: &str) {
    let created = send(
        cars,
        "POST",
        "/cars",
        &json!({ "carName": name }).to_string(),
    );
    assert_eq!(created.status(), 201);
}

fn deliver(
    cars: &CarRepository<MemoryPlatform>,
    event: fn(ReservationState) -> Event,
    rsv_id: u64,
) {
    let state = ReservationState {
        rsv_id: ReservationId(rsv_id),
        car_id: CarId(1),
        pay_id: None,
        status: "any".into(),
        reason: None,
    };
    let event = CloudEvent {
        specversion: "1.0".into(),
        id: "reservation/1/2".into(),
        source: "socar/reservation".into(),
        subject: "reservation/1".into(),
        time: cars.platform.now(),
        datacontenttype: "application/json".into(),
        sequence: 2,
        correlationid: "c".into(),
        causationid: "c".into(),
        traceparent: "t".into(),
        event: event(state),
    };
    block_on(reactions::react(cars, &event)).unwrap();
}

fn status(cars: &CarRepository<MemoryPlatform>) -> Value {
    body(&send(cars, "GET", "/cars/1", ""))["status"].clone()
}

#[test]
fn a_registered_car_is_found_where_the_answer_says() {
    let cars = cars();
    let created = send(&cars, "POST", "/cars", r#"{"carName":"Mercedes-Benz"}"#);
    assert_eq!(created.status(), 201);
    assert_eq!(created.headers()["location"], "http://h/cars/1");
    assert_eq!(body(&created)["carId"], 1);
    assert_eq!(body(&created)["status"], "available");
    assert_eq!(body(&send(&cars, "GET", "/cars/1", "")), body(&created));
    assert_eq!(cars.platform.published_types(), ["CarRegistered"]);
}

#[test]
fn put_replaces_and_patch_merges() {
    let cars = cars();
    send(
        &cars,
        "POST",
        "/cars",
        r#"{"carName":"A","carType":"suv","amount":5}"#,
    );
    let patched = body(&send(&cars, "PATCH", "/cars/1", r#"{"amount":6}"#));
    assert_eq!(
        (&patched["carType"], &patched["amount"]),
        (&json!("suv"), &json!(6))
    );
    let put = body(&send(&cars, "PUT", "/cars/1", r#"{"carName":"B"}"#));
    assert_eq!(
        (&put["carName"], &put["carType"], &put["amount"]),
        (&json!("B"), &json!(""), &json!(0))
    );
    assert_eq!(send(&cars, "PUT", "/cars/1", "{}").status(), 422);
    assert_eq!(
        send(&cars, "PUT", "/cars/9", r#"{"carName":"B"}"#).status(),
        404
    );
}

/// Many clients write down every field that they have not set.
#[test]
fn a_null_in_a_new_car_is_as_if_absent() {
    let cars = cars();
    let unset = r#"{"carId":null,"carName":"A","carType":null,"amount":null,"status":null}"#;
    let created = send(&cars, "POST", "/cars", unset);
    assert_eq!(created.status(), 201);
    assert_eq!(body(&created)["carType"], "");
    assert_eq!(body(&created)["amount"], 0);
    assert_eq!(send(&cars, "PUT", "/cars/1", unset).status(), 200);
    for (refused, field) in [
        (r#"{"carName":null}"#, "carName"),
        (r#"{"carName":"A","colour":null}"#, "colour"),
    ] {
        let answer = send(&cars, "POST", "/cars", refused);
        assert_eq!(answer.status(), 422, "{refused}");
        assert_eq!(body(&answer)["field"], field, "{refused}");
    }
    let merged = send(&cars, "PATCH", "/cars/1", r#"{"carType":null}"#);
    assert_eq!(body(&merged)["field"], "carType");
}

/// Elsewhere the same type says that a path leads nowhere, which tells nothing about a car.
#[test]
fn a_command_for_an_unknown_car_is_told_which() {
    let cars = cars();
    for command in ["hold", "release"] {
        let path = format!("/internal/cars/9/{command}");
        let answer = send(&cars, "POST", &path, r#"{"rsvId":1}"#);
        assert_eq!(answer.status(), 404);
        assert_eq!(body(&answer)["carId"], 9, "{command}");
    }
}

#[test]
fn a_client_may_send_back_what_it_has_read_but_not_set_the_status() {
    let cars = cars();
    register(&cars, "A");
    let read = String::from_utf8(send(&cars, "GET", "/cars/1", "").body().to_vec()).unwrap();
    assert_eq!(send(&cars, "PUT", "/cars/1", &read).status(), 200);
    let refused = send(&cars, "PATCH", "/cars/1", r#"{"status":"reserved"}"#);
    assert_eq!(refused.status(), 422);
    assert_eq!(body(&refused)["field"], "status");
}

#[test]
fn an_edit_of_an_older_version_is_refused() {
    let cars = cars();
    register(&cars, "A");
    let stale = [("if-match", "\"1\"")];
    assert_eq!(
        send_with(&cars, "PATCH", "/cars/1", r#"{"amount":1}"#, &stale).status(),
        200
    );
    assert_eq!(
        send_with(&cars, "PATCH", "/cars/1", r#"{"amount":2}"#, &stale).status(),
        412
    );
    assert_eq!(
        send_with(&cars, "DELETE", "/cars/1", "", &stale).status(),
        412
    );
    assert_eq!(body(&send(&cars, "GET", "/cars/1", ""))["amount"], 1);
}

#[test]
fn a_deleted_car_is_gone_from_every_page_and_its_number_is_not_used_again() {
    let cars = cars();
    for name in ["A", "B", "C"] {
        register(&cars, name);
    }
    assert_eq!(send(&cars, "DELETE", "/cars/2", "").status(), 204);
    assert_eq!(send(&cars, "GET", "/cars/2", "").status(), 404);
    register(&cars, "D");
    for sort in ["carId", "carName", "amount"] {
        let page = body(&send(&cars, "GET", &format!("/cars?sort={sort},desc"), ""));
        assert_eq!(page["page"]["totalElements"], 3, "{sort}");
        assert_eq!(
            page["_embedded"]["cars"].as_array().unwrap().len(),
            3,
            "{sort}"
        );
    }
}

#[test]
fn cars_of_the_same_amount_are_ordered_by_number() {
    let cars = cars();
    for name in ["A", "B", "C", "D"] {
        register(&cars, name);
    }
    let ids = |page: u64| -> Vec<u64> {
        let page = body(&send(
            &cars,
            "GET",
            &format!("/cars?sort=amount,desc&size=2&page={page}"),
            "",
        ));
        let cars = page["_embedded"]["cars"].as_array().unwrap().clone();
        cars.iter()
            .map(|car| car["carId"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((ids(0), ids(1), ids(2)), (vec![1, 2], vec![3, 4], vec![]));
}

#[test]
fn a_hold_keeps_others_out_until_it_is_released() {
    let cars = cars();
    register(&cars, "A");
    let hold = |rsv: u64| {
        send(
            &cars,
            "POST",
            "/internal/cars/1/hold",
            &json!({ "rsvId": rsv }).to_string(),
        )
    };
    assert_eq!(hold(1).status(), 200);
    assert_eq!(hold(1).status(), 200);
    assert_eq!(hold(2).status(), 409);
    assert_eq!(send(&cars, "DELETE", "/cars/1", "").status(), 409);
    assert_eq!(
        send(&cars, "POST", "/internal/cars/1/release", r#"{"rsvId":1}"#).status(),
        200
    );
    assert_eq!(hold(2).status(), 200);
    assert_eq!(
        send(&cars, "POST", "/internal/cars/9/hold", r#"{"rsvId":1}"#).status(),
        404
    );
}

#[test]
fn every_event_may_arrive_twice() {
    let cars = cars();
    register(&cars, "A");
    send(&cars, "POST", "/internal/cars/1/hold", r#"{"rsvId":1}"#);
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
fn a_cancellation_may_overtake_its_confirmation() {
    let cars = cars();
    register(&cars, "A");
    send(&cars, "POST", "/internal/cars/1/hold", r#"{"rsvId":1}"#);
    deliver(&cars, Event::ReservationCancelled, 1);
    deliver(&cars, Event::ReservationConfirmed, 1);
    assert_eq!(status(&cars), "available");
}

/// Whoever releases must know that a late hold would still find the car, should it appear.
#[test]
fn a_release_of_a_car_that_was_never_there_says_so() {
    let cars = cars();
    let release = |id: u64| {
        let path = format!("/internal/cars/{id}/release");
        send(&cars, "POST", &path, r#"{"rsvId":1}"#).status()
    };
    assert_eq!(release(1), 404);
    register(&cars, "Kia");
    send(&cars, "DELETE", "/cars/1", "");
    assert_eq!(release(1), 200, "no hold finds a car that is gone");
}

#[test]
fn a_number_that_a_crash_took_does_not_count() {
    let cars = cars();
    cars.platform.state.fail_once_after(1);
    let failed = send(&cars, "POST", "/cars", r#"{"carName":"Kia"}"#);
    assert_eq!(failed.status(), 503);
    register(&cars, "Ray");
    for _ in 0..2 {
        send(&cars, "GET", "/cars", "");
        cars.platform.advance(std::time::Duration::from_secs(130));
        assert_eq!(send(&cars, "POST", "/internal/sweep", "").status(), 200);
    }
    let list = body(&send(&cars, "GET", "/cars", ""));
    assert_eq!(list["_embedded"]["cars"][0]["carId"], 2);
    assert_eq!(list["page"]["totalElements"], 1);
}
