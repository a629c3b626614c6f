//! Events for a component that fails: tried again, then parked, and never in the way of the others. What
//! becomes of parked ones is in [`crate::dead_letters`].

use harness::eventually;

use crate::saboteur::Saboteur;

/// Publishes an event whose whole text is `event`.
pub fn publish(saboteur: &Saboteur, event: &str) {
    let order = "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=";
    saboteur.order(&format!("{order}{event}")).is(200);
    saboteur
        .order("/redis?publish=socar.saboteur&payload=wake")
        .is(200);
}

/// How many events the saboteur has handled.
pub fn received(saboteur: &Saboteur) -> u32 {
    saboteur
        .order("/wasi/increment?key=received&delta=0")
        .text()
        .parse()
        .unwrap_or(0)
}

#[test]
fn an_event_reaches_its_component() {
    let saboteur = Saboteur::start(&[]);
    publish(&saboteur, "hello");
    eventually(|| received(&saboteur), |count| *count == 1);
    assert_eq!(saboteur.order("/kv/get?key=received:1").text(), "hello");
}

#[test]
fn an_event_that_fails_is_tried_again() {
    let saboteur = Saboteur::start(&[]);
    publish(&saboteur, "fail-times:3");
    eventually(|| received(&saboteur), |count| *count == 1);
    assert_eq!(
        saboteur
            .order("/wasi/increment?key=attempts:fail-times:3&delta=0")
            .text(),
        "4"
    );
}

#[test]
fn an_event_that_always_traps_is_parked_and_out_of_the_way() {
    // Ten attempts would take half a minute.
    let saboteur = Saboteur::start_with("delivery_attempts = 3", &[]);
    publish(
        &saboteur,
        "%7B%22id%22:%221%22,%22subject%22:%22a/1%22,%22data%22:%7B%22behave%22:%22trap%22%7D%7D",
    );
    publish(
        &saboteur,
        "%7B%22id%22:%222%22,%22subject%22:%22a/2%22,%22data%22:%7B%22behave%22:%22ok%22%7D%7D",
    );
    eventually(|| received(&saboteur), |count| *count == 1);
    let page = eventually(
        || saboteur.admin("/dead-letters"),
        |page| page["letters"] != serde_json::json!([]),
    );
    let error = page["letters"][0]["error"].as_str();
    assert!(
        error.is_some_and(|error| error.contains("saboteur")),
        "{page:#}"
    );
}
