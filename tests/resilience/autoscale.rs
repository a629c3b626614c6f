//! Does the pool of instances grow with the load, stay within its bounds, and shrink when idle? Checkpoint
//! autoscale.

use std::thread;

use harness::{Response, eventually};
use serde_json::json;

use crate::delivery::{append, escaped};
use crate::saboteur::{Saboteur, call_deadline};

/// The numbers of all instances of the saboteur and of the busy ones.
fn instances(saboteur: &Saboteur) -> (u64, u64) {
    let instances = saboteur.admin().json("/instances");
    let stats = &instances["components"]["saboteur"];
    let number = |key: &str| stats[key].as_u64().expect("a number");
    (number("alive"), number("busy"))
}

/// A host with this policy, and with a deadline for calls that take long.
fn start_with(policy: &str) -> Saboteur {
    Saboteur::start_with(&format!("{policy}\n{}", call_deadline("20s")), &[])
}

/// Sends this many calls at once and runs `look` during the calls; returns all responses.
fn under_load(saboteur: &Saboteur, calls: usize, look: impl FnOnce()) -> Vec<Response> {
    thread::scope(|scope| {
        let calls: Vec<_> = (0..calls)
            .map(|_| scope.spawn(|| saboteur.call("/sleep?ms=3000")))
            .collect();
        look();
        let responses = calls.into_iter();
        responses
            .map(|call| call.join().expect("a response"))
            .collect()
    })
}

#[test]
fn the_pool_grows_with_the_load_and_shrinks_when_idle() {
    let saboteur = start_with("instances_idle = \"500ms\"");
    assert_eq!(instances(&saboteur), (0, 0));
    let responses = under_load(&saboteur, 12, || {
        eventually(|| instances(&saboteur), |item| *item == (12, 12));
    });
    assert!(responses.iter().all(|response| response.status == 200));
    eventually(|| instances(&saboteur), |item| *item == (0, 0));
    saboteur.call("/greet/again").is(200);
}

#[test]
fn the_configured_minimum_of_instances_is_kept() {
    let saboteur = start_with("instances_min = 2\ninstances_idle = \"200ms\"");
    under_load(&saboteur, 6, || {
        eventually(|| instances(&saboteur), |item| *item == (6, 6));
    });
    eventually(|| instances(&saboteur), |item| *item == (2, 0));
    // Many times the lifetime of an idle instance.
    thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(instances(&saboteur), (2, 0));
}

#[test]
fn the_minimum_of_instances_is_started_before_the_first_call() {
    let saboteur = start_with("instances_min = 3");
    assert_eq!(instances(&saboteur), (3, 0));
    // A failed instance is replaced without a further call.
    saboteur.call("/trap").problem(500, "component-trapped");
    eventually(|| instances(&saboteur), |item| *item == (3, 0));
    let responses = under_load(&saboteur, 3, || {
        eventually(|| instances(&saboteur), |item| *item == (3, 3));
    });
    assert!(responses.iter().all(|response| response.status == 200));
}

#[test]
fn a_reload_starts_the_minimum_of_instances() {
    let saboteur = Saboteur::start_with("instances_min = 2", &[]);
    let manifest = std::fs::read_to_string(saboteur.manifest()).expect("a manifest");
    let more = manifest.replace("instances_min = 2", "instances_min = 4");
    saboteur.deploy(&more);
    assert_eq!(instances(&saboteur), (4, 0));
}

/// Requests and events have instances of their own, which share the maximum.
#[test]
fn idle_instances_of_one_kind_make_room_for_the_other() {
    let saboteur = start_with("instances_max = 2\ninstances_idle = \"10m\"");
    for round in 0..2 {
        // Both instances are idle ones for requests; the events replace them.
        under_load(&saboteur, 2, || {
            eventually(|| instances(&saboteur), |item| *item == (2, 2));
        });
        for subject in ["a", "b"] {
            let event = json!({"id": format!("{round}"), "subject": format!("a/{subject}"), "data": {"behave": "sleep:2000"}});
            append(&saboteur, &escaped(&event.to_string()));
        }
        eventually(|| instances(&saboteur), |item| *item == (2, 2));
        eventually(|| instances(&saboteur), |item| *item == (2, 0));
        // And a request replaces one of those.
        saboteur.call("/greet/me").is(200);
    }
}

#[test]
fn the_pool_never_exceeds_its_maximum() {
    let saboteur = start_with("instances_max = 3");
    let responses = under_load(&saboteur, 9, || {
        eventually(|| instances(&saboteur), |item| *item == (3, 3));
    });
    let count = |status| {
        responses
            .iter()
            .filter(|response| response.status == status)
            .count()
    };
    assert!(count(200) >= 3, "{responses:#?}");
    assert_eq!(count(200) + count(503), 9, "{responses:#?}");
    saboteur.call("/greet/me").is(200);
}
