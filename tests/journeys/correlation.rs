//! Can one request be traced through all synchronous calls and events that it causes? Checkpoint correlation.

use harness::{Mode, Platform};
use serde_json::{Value, json};

harness::journeys!(
    a_request_is_traced_through_all_its_effects,
    every_event_names_its_direct_cause,
    a_timeline_names_steps_times_and_causes,
    a_request_without_an_id_gets_one,
    an_invalid_request_id_is_replaced,
);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn a_request_is_traced_through_all_its_effects(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("followed");
    let response = platform
        .post("/reservations")
        .header("x-request-id", "customer-42")
        .header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .json(&json!({"carId": car.id}))
        .send()
        .is(201);
    assert_eq!(response.header("x-request-id"), "customer-42", "{response}");

    let caused = caused_by_reserving(
        &platform,
        car.id,
        response.json()["rsvId"].as_u64().expect("an id"),
    );
    for event in &caused {
        assert_eq!(event["correlationid"], "customer-42", "{event:#}");
        let traceparent = event["traceparent"].as_str().unwrap_or_default();
        assert!(is_traceparent(traceparent), "{event:#}");
        assert_eq!(&traceparent[3..35], TRACE, "{event:#}");
    }
}

fn every_event_names_its_direct_cause(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("caused");
    let response = platform
        .post("/reservations")
        .header("x-request-id", "customer-43")
        .json(&json!({"carId": car.id}))
        .send()
        .is(201);
    let [created, approved, confirmed, booked] = caused_by_reserving(
        &platform,
        car.id,
        response.json()["rsvId"].as_u64().expect("an id"),
    );

    assert!(
        !created["causationid"]
            .as_str()
            .unwrap_or_default()
            .is_empty(),
        "{created:#}"
    );
    assert!(
        !approved["causationid"]
            .as_str()
            .unwrap_or_default()
            .is_empty(),
        "{approved:#}"
    );
    assert_eq!(confirmed["causationid"], approved["id"], "{confirmed:#}");
    assert_eq!(booked["causationid"], confirmed["id"], "{booked:#}");
}

/// The four events of a confirmed reservation, in causal order.
fn caused_by_reserving(platform: &Platform, car: u64, reservation: u64) -> [Value; 4] {
    let rsv = format!("reservation/{reservation}");
    let created = platform.wait_for_event("ReservationCreated", &rsv);
    let confirmed = platform.wait_for_event("ReservationConfirmed", &rsv);
    let approved = platform.events_where(|event| {
        event["type"] == "PaymentApproved" && event["data"]["rsvId"] == reservation
    });
    let approved = approved
        .first()
        .expect("a confirmed reservation is paid")
        .clone();
    let booked = platform.wait_for_event("CarReserved", &format!("car/{car}"));
    [created, approved, confirmed, booked]
}

fn a_timeline_names_steps_times_and_causes(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("timeline");
    let reservation = platform.reserve_and_confirm(&car);
    let cancel = platform
        .patch(&reservation.path)
        .header("x-request-id", "customer-44");
    cancel.json(&json!({"status": "reqCancel"})).send().is(200);
    platform.wait_for_status(&reservation, "cancelled");

    let timeline = platform.get_json(&format!("{}/timeline", reservation.path));
    let steps = timeline["steps"].as_array().expect("steps");
    let statuses: Vec<_> = steps.iter().map(|step| step["status"].clone()).collect();
    assert_eq!(
        statuses,
        ["reqReserve", "reserved", "reqCancel", "cancelled"],
        "{timeline:#}"
    );
    assert_eq!(steps[2]["cause"], "customer-44", "{timeline:#}");
    let confirmed = platform.wait_for_event(
        "ReservationConfirmed",
        &format!("reservation/{}", reservation.id),
    );
    assert_eq!(steps[1]["cause"], confirmed["causationid"], "{timeline:#}");
    assert_eq!(steps[1]["at"], confirmed["time"], "{timeline:#}");
    let times: Vec<_> = steps
        .iter()
        .map(|step| step["at"].as_str().unwrap_or_default())
        .collect();
    assert!(
        times.is_sorted() && times.iter().all(|time| time.ends_with('Z')),
        "{timeline:#}"
    );
    platform
        .get("/reservations/987654321/timeline")
        .send()
        .problem(404, "not-found");
}

fn a_request_without_an_id_gets_one(mode: Mode) {
    let platform = Platform::shared(mode);
    let first = platform
        .post("/cars")
        .json(&json!({"carName": "anonymous"}))
        .send()
        .is(201);
    let second = platform
        .post("/cars")
        .json(&json!({"carName": "anonymous"}))
        .send()
        .is(201);
    let given = first.header("x-request-id");
    assert_ne!(given, second.header("x-request-id"), "ids are unique");

    let event = platform.wait_for_event("CarRegistered", &format!("car/{}", first.json()["carId"]));
    assert_eq!(event["correlationid"], given);
    assert!(
        is_traceparent(event["traceparent"].as_str().unwrap_or_default()),
        "{event:#}"
    );
}

fn an_invalid_request_id_is_replaced(mode: Mode) {
    let platform = Platform::shared(mode);
    let very_long = "x".repeat(4000);
    for id in ["", " ", "\"quoted\"", "{\"json\":1}", very_long.as_str()] {
        let response = platform
            .post("/cars")
            .header("x-request-id", id)
            .header("traceparent", "00-nonsense")
            .json(&json!({"carName": "invalid id"}))
            .send()
            .is(201);
        let event = platform.wait_for_event(
            "CarRegistered",
            &format!("car/{}", response.json()["carId"]),
        );
        let correlation = event["correlationid"].as_str().unwrap_or_default();
        assert!(
            !correlation.trim().is_empty() && correlation.len() <= 256,
            "{event:#}"
        );
        assert!(
            is_traceparent(event["traceparent"].as_str().unwrap_or_default()),
            "{event:#}"
        );
    }
}

/// Version, trace, span and flags of the W3C trace context; neither id may be all zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let is_hex = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let [version, trace, span, flags] = parts[..] else {
        return false;
    };
    version == "00"
        && is_hex(trace, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|byte| byte != b'0')
        && span.bytes().any(|byte| byte != b'0')
}
