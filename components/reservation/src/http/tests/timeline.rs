//! What became of a reservation is told as it was announced.

use super::*;

#[test]
fn a_step_and_its_announcement_name_the_same_moment() {
    let world = World::new();
    let desk = world.desk();
    desk.platform.clock_ticks.set(true);
    reserve(&desk);
    deliver(&desk, Event::PaymentApproved, 1);
    send(
        &desk,
        "PATCH",
        "/reservations/1",
        r#"{"status":"reqCancel"}"#,
        &[],
    );
    deliver(&desk, Event::PaymentCancelled, 1);

    let timeline = body(&send(&desk, "GET", "/reservations/1/timeline", "", &[]));
    let told = timeline["steps"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|step| step["at"].clone()).collect();
    let log = desk.platform.log.borrow();
    let announced: Vec<_> = log
        .iter()
        .map(|(_, event)| serde_json::to_value(event.time).unwrap())
        .collect();
    assert_eq!(announced.len(), 4);
    assert_eq!(told, announced);
}
