//! Does a context in another language see the same events as the others, and report what they say?
//!
//! A machine without Python or PyPI cannot build the context; these tests then say so and check nothing.

use std::process::Command;

use harness::{Mode, Platform, Setup, build_insight, eventually, read, root};
use serde_json::{Value, json};

harness::journeys!(reports_follow_the_events_of_the_other_contexts);

fn reports_follow_the_events_of_the_other_contexts(mode: Mode) {
    let Some(platform) = start(mode) else {
        return;
    };
    let kept = platform.register_car("kept");
    let returned = platform.register_car("returned");
    let canceled = platform.reserve_and_confirm(&returned);
    platform.cancel_and_wait(&canceled, &returned);
    // Events are delivered once more after a kill, and an event of the same id changes nothing.
    platform.reserve_and_confirm(&kept);
    platform.kill();
    let platform = platform.restart();

    let expected = json!([
        {"carId": kept.id, "paid": 50_000, "returned": 0, "revenue": 50_000},
        {"carId": returned.id, "paid": 50_000, "returned": 50_000, "revenue": 0},
    ]);
    eventually(|| rows(&platform, "revenue"), |rows| *rows == expected);
    eventually(
        || rows(&platform, "utilisation"),
        |rows| rows[0]["carId"] == kept.id,
    );

    let csv = platform.get("/insights/revenue?format=csv").send().is(200);
    assert!(
        csv.header("content-type").starts_with("text/csv"),
        "{csv:?}"
    );
    assert!(
        csv.text()
            .starts_with("day,carId,paid,returned,revenue\r\n")
    );
    platform.get("/insights/revenue?from=x").send().is(400);
    platform.get("/insights/weather").send().is(404);
    platform.post("/insights/revenue").send().is(405);

    // Rows that were lost are read from the log again.
    platform.terminate();
    std::fs::remove_dir_all(platform.state_dir().join("sqlite")).expect("the rows");
    let platform = platform.restart();
    eventually(|| rows(&platform, "revenue"), |rows| *rows == expected);
}

/// The rows of a report about the present day, without the days and what depends on the clock.
fn rows(platform: &Platform, report: &str) -> Value {
    let response = platform.get(&format!("/insights/{report}")).send();
    let mut rows = match response.status {
        200 => response.json()["rows"].take(),
        _ => Value::Null,
    };
    for row in rows.as_array_mut().into_iter().flatten() {
        for column in ["day", "reservedSeconds", "utilisation"] {
            row.as_object_mut().map(|row| row.remove(column));
        }
    }
    rows
}

fn start(mode: Mode) -> Option<Platform> {
    match build_insight() {
        Ok(()) => Some(
            Setup::new(mode)
                .manifest(|_| read("spin.polyglot.toml"))
                .start(),
        ),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            None
        }
    }
}

#[test]
fn the_parts_without_the_sdk_have_tests_of_their_own() {
    let mut python = Command::new("python3");
    python.current_dir(root()).args([
        "-B",
        "-m",
        "unittest",
        "discover",
        "components/insight/tests",
    ]);
    match python.output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("skipped: python3 did not start: {error}"),
    }
}
