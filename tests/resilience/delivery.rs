//! Are events for a failing component retried, then kept as dead letters, without a delay for other events? Dead
//! letters are in [`crate::dead_letters`].

use std::collections::BTreeSet;

use harness::{RedisServer, eventually};
use serde_json::json;

use crate::saboteur::{Saboteur, manifest_with};

const STREAM: &str = "socar.saboteur";

/// Appends an event with this text.
pub fn append(saboteur: &Saboteur, event: &str) {
    let append = "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=";
    saboteur.call(&format!("{append}{event}")).is(200);
}

/// Publishes an event with this text.
pub fn publish(saboteur: &Saboteur, event: &str) {
    append(saboteur, event);
    saboteur
        .call("/redis?publish=socar.saboteur&payload=wake")
        .is(200);
}

/// JSON, escaped for a query string.
pub fn escaped(event: &str) -> String {
    let escape = |text: String, (from, to)| text.replace(from, to);
    [("{", "%7B"), ("}", "%7D"), ("\"", "%22")]
        .into_iter()
        .fold(event.to_owned(), escape)
}

/// The number of events that the saboteur has handled.
pub fn received(saboteur: &Saboteur) -> u32 {
    saboteur
        .call("/wasi/increment?key=received&delta=0")
        .text()
        .parse()
        .unwrap_or(0)
}

#[test]
fn an_event_reaches_its_component() {
    let saboteur = Saboteur::start(&[]);
    publish(&saboteur, "hello");
    eventually(|| received(&saboteur), |count| *count == 1);
    assert_eq!(saboteur.call("/kv/get?key=received:1").text(), "hello");
}

#[test]
fn an_event_of_another_type_is_not_delivered() {
    let policy = "[component.saboteur.tool.socar]\nevent_types = [\"Wanted\"]";
    let saboteur = Saboteur::start_with(policy, &[]);
    let event = |id, event_type| {
        let event = serde_json::json!({ "id": id, "type": event_type, "subject": "a/1" });
        event.to_string()
    };
    // Both have the same subject, so the first would have been delivered before the second.
    publish(&saboteur, &escaped(&event("1", "Unwanted")));
    publish(&saboteur, &escaped(&event("2", "Wanted")));
    eventually(|| received(&saboteur), |count| *count == 1);
    let first: serde_json::Value = saboteur.call("/kv/get?key=received:1").json();
    assert_eq!(first["id"], "2");
}

#[test]
fn an_event_that_fails_is_retried() {
    let saboteur = Saboteur::start(&[]);
    publish(&saboteur, "fail-times:3");
    eventually(|| received(&saboteur), |count| *count == 1);
    assert_eq!(
        saboteur
            .call("/wasi/increment?key=attempts:fail-times:3&delta=0")
            .text(),
        "4"
    );
}

#[test]
fn an_event_that_always_traps_becomes_a_dead_letter_and_delays_no_other() {
    // Ten attempts would take minutes.
    let saboteur = Saboteur::start_with("delivery_attempts = 3", &[]);
    publish(
        &saboteur,
        &escaped(r#"{"id":"1","subject":"a/1","data":{"behave":"trap"}}"#),
    );
    publish(
        &saboteur,
        &escaped(r#"{"id":"2","subject":"a/2","data":{"behave":"ok"}}"#),
    );
    eventually(|| received(&saboteur), |count| *count == 1);
    let page = eventually(
        || saboteur.admin().json("/dead-letters"),
        |page| page["letters"] != json!([]),
    );
    let error = page["letters"][0]["error"].as_str();
    assert!(
        error.is_some_and(|error| error.contains("saboteur")),
        "{page:#}"
    );
}

#[test]
fn a_new_subscriber_starts_from_the_beginning() {
    let saboteur = Saboteur::start_with("", &[]);
    for event in ["one", "two", "three"] {
        publish(&saboteur, event);
    }
    eventually(|| received(&saboteur), |count| *count == 3);
    // The neighbour becomes a second subscriber and counts in the same store.
    let manifest = manifest_with("")
        .replace(
            "key_value_stores = [\"neighbour\"]",
            "key_value_stores = [\"neighbour\", \"saboteur\"]",
        )
        .replace(
            "[\"http://saboteur.spin.internal\"",
            "[\"{{ saboteur_url }}\"",
        );
    let trigger = "\n[[trigger.redis]]\nchannel = \"socar.saboteur\"\ncomponent = \"neighbour\"\n";
    let manifest = manifest + trigger;
    saboteur.deploy(&manifest);
    eventually(|| received(&saboteur), |count| *count == 6);
    let again = (4..=6).map(|number| received_event(&saboteur, number));
    assert_eq!(again.collect::<Vec<_>>(), ["one", "two", "three"]);
}

#[test]
fn the_pending_events_of_a_killed_host_are_claimed_by_another() {
    let redis = RedisServer::start();
    let arguments = ["--redis-url", &redis.url()];
    let (surviving, killed) = (Saboteur::start(&arguments), Saboteur::start(&arguments));
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("a Redis");
    // Until both hosts handle some of the events: the first to read may take many.
    let mut events = BTreeSet::new();
    let append_one = || {
        let number = events.len();
        let event = json!({"id": number.to_string(), "subject": format!("a/{number}"), "data": {"behave": "sleep:1000"}}).to_string();
        let mut append = redis::cmd("XADD");
        append.arg(STREAM).arg("*").arg("event").arg(&event);
        append.query::<String>(&mut connection).expect("an id");
        events.insert(event);
        (events.len(), consumers_at_work(&mut connection))
    };
    eventually(append_one, |(events, busy)| *events >= 24 && *busy == 2);
    let mut busy = || consumers_at_work(&mut connection);
    assert!(
        received(&surviving) < events.len() as u32,
        "some events are pending"
    );
    killed.kill();
    eventually(&mut busy, |busy| *busy == 0);
    // Events that were handled and not yet acknowledged are handled again.
    let count = received(&surviving);
    let handled = (1..=count).map(|number| received_event(&surviving, number));
    // A guest that was killed after it took its number has stored nothing under that number.
    let handled = handled.filter(|event| event != "absent");
    assert_eq!(handled.collect::<BTreeSet<_>>(), events);
    assert_eq!(
        surviving.admin().json("/dead-letters")["letters"],
        json!([])
    );
}

fn received_event(saboteur: &Saboteur, number: u32) -> String {
    saboteur
        .call(&format!("/kv/get?key=received:{number}"))
        .is(200)
        .text()
}

/// The number of hosts with unacknowledged events, as Redis reports it.
fn consumers_at_work(connection: &mut redis::Connection) -> usize {
    type Summary = (
        usize,
        Option<String>,
        Option<String>,
        Option<Vec<(String, usize)>>,
    );
    let mut ask = redis::cmd("XPENDING");
    ask.arg(STREAM).arg("saboteur");
    let summary: redis::RedisResult<Summary> = ask.query(connection);
    summary.map_or(0, |(.., consumers)| {
        consumers.map_or(0, |consumers| consumers.len())
    })
}
