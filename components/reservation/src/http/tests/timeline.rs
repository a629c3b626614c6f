//! The timeline of a reservation agrees with its events.

use super::*;

#[test]
fn a_step_has_the_time_of_its_event() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
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
    let steps = timeline["steps"].as_array().unwrap().iter();
    let times: Vec<_> = steps.map(|step| step["at"].clone()).collect();
    let log = ports.platform.log.borrow();
    let published: Vec<_> = log
        .iter()
        .map(|(_, event)| serde_json::to_value(event.time).unwrap())
        .collect();
    assert_eq!(published.len(), 4);
    assert_eq!(times, published);
}
