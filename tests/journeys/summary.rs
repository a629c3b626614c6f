//! Does the company see the numbers of its fleet: cars by status, revenue by hour, and what is unsettled?

use harness::{Mode, Platform, Setup, eventually};
use serde_json::{Value, json};

harness::journeys!(the_summary_counts_cars_and_revenue);

fn summary(platform: &Platform) -> Value {
    platform.get_json("/carviews/summary")
}

/// The amount and the number of the payments of all hours.
fn revenue(summary: &Value) -> (u64, u64) {
    let hours = summary["revenue"].as_array().expect("hours");
    assert_eq!(hours.len(), 24, "{summary:#}");
    let sum = |member: &str| hours.iter().filter_map(|hour| hour[member].as_u64()).sum();
    (sum("amount"), sum("payments"))
}

fn the_summary_counts_cars_and_revenue(mode: Mode) {
    let platform = Setup::new(mode).start();
    let empty = summary(&platform);
    assert_eq!(
        (&empty["cars"], &empty["utilisation"]),
        (&json!(0), &json!(0.0))
    );
    let cars: Vec<_> = [300, 200, 100]
        .iter()
        .map(|amount| platform.register(&json!({"carName": "summed", "amount": amount})))
        .collect();
    platform.reserve_and_confirm(&cars[0]);
    let cancelled = platform.reserve_and_confirm(&cars[1]);
    let found = eventually(
        || summary(&platform),
        |found| {
            found["byStatus"] == json!({"available": 1, "reserved": 2})
                && revenue(found) == (500, 2)
        },
    );
    assert_eq!(
        (&found["cars"], &found["utilisation"]),
        (&json!(3), &json!(0.6667))
    );
    platform.cancel_and_wait(&cancelled, &cars[1]);
    let found = eventually(
        || summary(&platform),
        |found| {
            found["byStatus"] == json!({"available": 2, "reserved": 1})
                && revenue(found) == (300, 1)
        },
    );
    let hours = found["revenue"].as_array().expect("hours");
    let last = hours[23]["hour"].as_str().expect("an hour");
    assert!(last.ends_with(":00:00Z"), "{last}");
    assert!(
        found["asOf"]
            .as_str()
            .is_some_and(|as_of| as_of[..13] == last[..13]),
        "{found:#}"
    );
    eventually(
        || summary(&platform),
        |found| found["attention"] == json!([]),
    );
    // The time alone makes no new version.
    let answer = platform.get("/carviews/summary").send();
    let unchanged = platform
        .get("/carviews/summary")
        .header("if-none-match", answer.header("etag"));
    unchanged.send().is(304);
}
