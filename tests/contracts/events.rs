//! Has an event changed its published form? Other systems read the events, so a change must be a visible line in a
//! diff.
//!
//! The events come from one scenario on an empty platform and not from the structs, so the golden files also show
//! which event causes which. After an intended change, `UPDATE_GOLDEN=1 cargo test -p tests --test contracts`
//! writes them again.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use ::events::{CloudEvent, Event};
use harness::{Mode, Platform, Reservation, Setup, event_streams, eventually, root};
use serde_json::{Value, json};

harness::journeys!(
    every_event_looks_like_its_golden_file,
    every_event_is_a_cloud_event_of_the_catalogue,
    no_field_of_an_event_is_null,
    events_of_one_subject_come_in_sequence,
);

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn every_event_looks_like_its_golden_file(mode: Mode) {
    let mut firsts = BTreeMap::new();
    for event in scenario_events(mode).values().flatten() {
        let name = event["type"].as_str().unwrap_or_default().to_owned();
        firsts.entry(name).or_insert_with(|| normalised(event));
    }
    let mut published: Vec<_> = firsts.keys().map(String::as_str).collect();
    let mut catalogue = Event::TYPES.to_vec();
    published.sort_unstable();
    catalogue.sort_unstable();
    assert_eq!(published, catalogue, "the scenario causes every event");
    for (name, event) in &firsts {
        let path = golden(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, format!("{event:#}\n")).expect("a writable golden folder");
        }
        let expected =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let expected: Value = serde_json::from_str(&expected).expect("a golden file is JSON");
        assert_eq!(*event, expected, "{name} differs from {}", path.display());
    }
}

#[test]
fn every_golden_file_is_an_event_of_the_catalogue() {
    let files: HashSet<_> = fs::read_dir(golden("x").with_file_name(""))
        .expect("golden files are there")
        .map(|file| {
            file.expect("a readable folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let catalogue: HashSet<_> = Event::TYPES
        .iter()
        .map(|name| format!("{name}.json"))
        .collect();
    assert_eq!(files, catalogue);
    for name in Event::TYPES {
        let text = fs::read_to_string(golden(name)).expect("a golden file");
        let text = text.replace("<time>", "2025-01-01T00:00:00.000Z");
        let event =
            CloudEvent::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written: Value = serde_json::from_str(&event.to_json()).expect("an event is JSON");
        assert_eq!(
            written,
            serde_json::from_str::<Value>(&text).expect("a golden file is JSON"),
            "{name} loses nothing"
        );
    }
}

fn every_event_is_a_cloud_event_of_the_catalogue(mode: Mode) {
    let mut ids = HashSet::new();
    for (stream, events) in scenario_events(mode) {
        for event in events {
            CloudEvent::parse(event.to_string().as_bytes())
                .unwrap_or_else(|error| panic!("{error}: {event:#}"));
            assert_eq!(event["specversion"], "1.0");
            assert_eq!(
                event["source"],
                stream.replace("socar.", "socar/"),
                "{event:#}"
            );
            let of_stream = event["type"].as_str().unwrap_or_default().to_lowercase();
            assert!(
                of_stream.starts_with(stream.trim_start_matches("socar.")),
                "{stream} carries {event:#}"
            );
            assert!(ids.insert(event["id"].clone()), "ids are unique: {event:#}");
        }
    }
}

fn no_field_of_an_event_is_null(mode: Mode) {
    for event in scenario_events(mode).values().flatten() {
        assert_eq!(nulls("", event), [""; 0], "{event:#}");
    }
}

fn nulls(path: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Null => vec![path.to_owned()],
        Value::Array(items) => items
            .iter()
            .flat_map(|item| nulls(&format!("{path}[]"), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| nulls(&format!("{path}/{name}"), field))
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_nested_null_is_found() {
    assert_eq!(
        nulls("", &json!({"a": [1, {"b": null}], "c": null})),
        ["/a[]/b", "/c"]
    );
}

fn events_of_one_subject_come_in_sequence(mode: Mode) {
    let mut last = BTreeMap::new();
    for event in scenario_events(mode).values().flatten() {
        let sequence = event["sequence"].as_u64().expect("a sequence");
        let before = last
            .insert(event["subject"].to_string(), sequence)
            .unwrap_or(0);
        assert!(sequence > before, "{sequence} after {before}: {event:#}");
    }
}

/// All events by stream.
type StreamEvents = BTreeMap<String, Vec<Value>>;

/// The events of one scenario that causes every type of event, by stream. It runs once per mode.
fn scenario_events(mode: Mode) -> &'static StreamEvents {
    static EMBEDDED: OnceLock<StreamEvents> = OnceLock::new();
    static REDIS: OnceLock<StreamEvents> = OnceLock::new();
    let events = match mode {
        Mode::Embedded => &EMBEDDED,
        Mode::Redis => &REDIS,
    };
    events.get_or_init(|| run_scenario(&Setup::new(mode).start()))
}

/// The same steps, request ids and numbers each time, so that few fields of an event vary.
fn run_scenario(platform: &Platform) -> StreamEvents {
    let with_ids = |request: harness::RequestBuilder, step: &str| {
        request
            .header("x-request-id", step)
            .header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"))
    };
    let (first, second) = (Reservation::with_id(1), Reservation::with_id(2));
    let car = json!({"carName": "Mercedes-Benz", "carType": "sedan", "amount": 50_000});
    with_ids(platform.post("/cars"), "register")
        .json(&car)
        .send()
        .is(201);
    with_ids(platform.patch("/cars/1"), "modify")
        .json(&json!({"amount": 60_000}))
        .send()
        .is(200);
    with_ids(platform.post("/reservations"), "reserve")
        .json(&json!({"carId": 1}))
        .send()
        .is(201);
    platform.wait_for_status(&first, "reserved");
    eventually(
        || platform.get_json("/cars/1"),
        |car| car["status"] == "reserved",
    );
    // A version of an aggregate is visible before its events are published, and the next version may publish first.
    platform.wait_for_event("CarReserved", "car/1");
    with_ids(platform.post("/reservations"), "reserve-again")
        .json(&json!({"carId": 1}))
        .send()
        .is(409);
    with_ids(platform.patch(&first.path), "cancel")
        .json(&json!({"status": "reqCancel"}))
        .send()
        .is(200);
    platform.wait_for_status(&first, "cancelled");
    eventually(
        || platform.get_json("/cars/1"),
        |car| car["status"] == "available",
    );
    platform.wait_for_event("CarCancelled", "car/1");
    with_ids(platform.delete("/cars/1"), "delete")
        .send()
        .is(204);
    assert_eq!(platform.get_json(&second.path)["status"], "rejected");
    platform.wait_for_event("CarDeleted", "car/1");
    platform.wait_for_event("ReservationConfirmed", "reservation/1");
    platform.wait_for_event("ReservationCancelled", "reservation/1");
    let streams = event_streams(None).into_iter();
    streams
        .map(|stream| (stream.clone(), platform.events(&stream)))
        .collect()
}

/// The event without the fields that vary: the time, and the span that a host may have added.
fn normalised(event: &Value) -> Value {
    let mut event = event.clone();
    event["time"] = json!("<time>");
    if let Some(trace) = event["traceparent"].as_str() {
        let span = trace.get(36..52).unwrap_or_default();
        event["traceparent"] = trace.replacen(span, "b7ad6b7169203331", 1).into();
    }
    event
}

fn golden(name: &str) -> PathBuf {
    root()
        .join("tests/contracts/golden")
        .join(format!("{name}.json"))
}
