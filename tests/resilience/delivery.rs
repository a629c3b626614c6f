//! Events for a component that fails: tried again, then parked, and never in the way of the others. What
//! becomes of parked ones is in [`crate::dead_letters`].

use std::collections::BTreeSet;

use harness::{RedisServer, eventually};
use serde_json::json;

use crate::saboteur::{Saboteur, manifest_with};

const STREAM: &str = "socar.saboteur";

/// Publishes an event whose whole text is `event`.
pub fn publish(saboteur: &Saboteur, event: &str) {
    let order = "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=";
    saboteur.call(&format!("{order}{event}")).is(200);
    saboteur
        .call("/redis?publish=socar.saboteur&payload=wake")
        .is(200);
}

/// JSON as it may stand in a query.
fn escaped(event: &str) -> String {
    let escape = |text: String, (from, to)| text.replace(from, to);
    [("{", "%7B"), ("}", "%7D"), ("\"", "%22")]
        .into_iter()
        .fold(event.to_owned(), escape)
}

/// How many events the saboteur has handled.
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
    let event = |id, what| {
        let event = serde_json::json!({ "id": id, "type": what, "subject": "a/1" });
        event.to_string()
    };
    // One subject: had the first woken anybody, it would have been before the second.
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
    // Ten attempts would take half a minute.
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
    // From now on the neighbour listens, too, and counts in the same place.
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
    let (living, dying) = (Saboteur::start(&arguments), Saboteur::start(&arguments));
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("a Redis");
    // Until both are in the middle of some of them: whoever comes first may take many.
    let mut events = BTreeSet::new();
    let at_work = || {
        let number = events.len();
        let event = json!({"id": number.to_string(), "subject": format!("a/{number}"), "data": {"behave": "sleep:1000"}}).to_string();
        let mut append = redis::cmd("XADD");
        append.arg(STREAM).arg("*").arg("event").arg(&event);
        append.query::<String>(&mut connection).expect("an id");
        events.insert(event);
        (events.len(), consumers_at_work(&mut connection))
    };
    eventually(at_work, |(events, busy)| *events >= 24 && *busy == 2);
    let mut busy = || consumers_at_work(&mut connection);
    assert!(
        received(&living) < events.len() as u32,
        "there is something left to inherit"
    );
    dying.kill();
    eventually(&mut busy, |busy| *busy == 0);
    // What was handled but not yet acknowledged was handled again.
    let count = received(&living);
    let handled = (1..=count).map(|number| received_event(&living, number));
    // A guest that had its number when it was killed has written nothing under it.
    let handled = handled.filter(|event| event != "absent");
    assert_eq!(handled.collect::<BTreeSet<_>>(), events);
    assert_eq!(living.admin().json("/dead-letters")["letters"], json!([]));
}

fn received_event(saboteur: &Saboteur, number: u32) -> String {
    saboteur
        .call(&format!("/kv/get?key=received:{number}"))
        .is(200)
        .text()
}

/// How many hosts have taken events that they have not acknowledged, as Redis' own tools tell.
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
