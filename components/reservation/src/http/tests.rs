//! The HTTP surface and the reactions, over fakes of the other contexts.

use super::*;
use crate::{domain::Refusal, saga_log::SagaNote};
use crate::{
    ports::{ApprovalOutcome, HoldOutcome},
    reactions, sweep,
};
use bytes::Bytes;
use events::{CarId, CloudEvent, Event, PaymentId, PaymentState, ReservationId};
use fakes::{FakeContexts, TestPorts};
use futures::executor::block_on;
use kit::{Effect, Store};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

mod fakes;
mod fields;
mod filter;
mod idempotency;
mod limit;
mod recovery;
mod saga;
mod timeline;

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
    block_on(handle(
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

fn reserve_with_key(ports: &TestPorts<'_>, body: &str) -> Response {
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
        customer_id: None,
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
        actor: None,
        event: event(state),
    };
    block_on(reactions::react(ports, &event)).unwrap();
}

fn sweep_times(ports: &TestPorts<'_>, times: usize) {
    for _ in 0..times {
        ports.platform.advance(Duration::from_secs(5));
        block_on(sweep::sweep(ports)).unwrap();
    }
}

/// Sweeps until an open saga is taken over.
fn sweep_later(ports: &TestPorts<'_>) {
    sweep_times(ports, 3);
}

/// The keys of unfinished work, without the ages of it and without the tokens of sagas.
fn outbox_keys(ports: &TestPorts<'_>) -> Vec<String> {
    let keys = block_on(ports.platform.outbox.keys()).unwrap();
    let keys = keys.iter().filter(|key| *key != "sightings");
    let without_token = |key: &String| match key.strip_prefix("saga/") {
        Some(saga) => format!("saga/{}", saga.split('/').next().unwrap_or_default()),
        None => key.clone(),
    };
    keys.map(without_token).collect()
}
