//! The HTTP surface and the reactions, over platforms in memory.

use super::*;
use crate::reactions;
use bytes::Bytes;
use events::{CarId, CloudEvent, Event, ReservationId, ReservationState};
use futures::executor::block_on;
use kit::memory::MemoryPlatform;
use serde_json::{Value, json};

mod bookings;
mod cars;

fn repository() -> CarRepository<MemoryPlatform> {
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
    block_on(handle(cars, request))
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}

fn register(cars: &CarRepository<MemoryPlatform>, name: &str) {
    let car = json!({ "carName": name }).to_string();
    assert_eq!(send(cars, "POST", "/cars", &car).status(), 201);
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
        customer_id: None,
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
        actor: None,
        event: event(state),
    };
    block_on(reactions::react(cars, &event)).unwrap();
}

fn status(cars: &CarRepository<MemoryPlatform>) -> Value {
    body(&send(cars, "GET", "/cars/1", ""))["status"].clone()
}
