//! Events for a component that fails: tried again, then parked, and never in the way of the others.

use std::process::Command;

use harness::{eventually, socar};

use crate::saboteur::Saboteur;

fn publish(saboteur: &Saboteur, event: &str) {
    let order = "/redis?command=XADD&argument=socar.saboteur&argument=*&argument=event&argument=";
    saboteur.order(&format!("{order}{event}")).is(200);
    saboteur
        .order("/redis?publish=socar.saboteur&payload=wake")
        .is(200);
}

fn received(saboteur: &Saboteur) -> u32 {
    saboteur
        .order("/wasi/increment?key=received&delta=0")
        .text()
        .parse()
        .unwrap_or(0)
}

fn dead_letters(saboteur: &Saboteur, arguments: &[&str]) -> String {
    let mut command: Command = socar();
    command
        .args(["dead-letters"])
        .args(arguments)
        .arg("--state-dir")
        .arg(saboteur.state());
    let output = command.output().expect("socar starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
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
fn an_event_that_always_traps_is_parked_and_can_be_given_back() {
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
    let letters = eventually(
        || dead_letters(&saboteur, &["list"]),
        |letters| !letters.is_empty(),
    );
    assert_eq!(letters.lines().count(), 1, "{letters}");
    let letter: serde_json::Value = serde_json::from_str(&letters).expect("JSON");
    assert_eq!(letter["group"], "saboteur", "{letter}");
    assert_eq!(letter["stream"], "socar.saboteur", "{letter}");
    assert!(
        letter["error"]
            .as_str()
            .is_some_and(|error| error.contains("saboteur")),
        "{letter}"
    );

    dead_letters(&saboteur, &["redrive", "--all"]);
    let parked_again = |letters: &String| {
        !letters.is_empty() && !letters.contains(letter["id"].as_str().unwrap_or("?"))
    };
    eventually(|| dead_letters(&saboteur, &["list"]), parked_again);
}
