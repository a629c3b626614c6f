//! What became of a reservation is told as it was announced.

use super::*;

#[test]
fn a_step_and_its_announcement_name_the_same_moment() {
    let world = World::new();
    let ports = world.ports();
    ports.platform.clock_ticks.set(true);
    reserve(&ports);
    deliver(&ports, Event::PaymentApproved, 1);
    send(
        &ports,
        "PATCH",
        "/reservations/1",
        r#"{"status":"reqCancel"}"#,
        &[],
    );
    deliver(&ports, Event::PaymentCancelled, 1);

    let timeline = body(&send(&ports, "GET", "/reservations/1/timeline", "", &[]));
    let told = timeline["steps"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|step| step["at"].clone()).collect();
    let log = ports.platform.log.borrow();
    let announced: Vec<_> = log
        .iter()
        .map(|(_, event)| serde_json::to_value(event.time).unwrap())
        .collect();
    assert_eq!(announced.len(), 4);
    assert_eq!(told, announced);
}
