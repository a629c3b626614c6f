//! Does everything that was acknowledged survive the end of the process? Checkpoint persistent volume.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use harness::{
    Mode, Platform, Setup, cancellation_text, confirmation_text, eventually, root, socar,
};
use serde_json::{Value, json};

harness::journeys!(
    all_state_survives_an_orderly_restart,
    all_state_survives_a_kill,
    a_stop_lets_running_requests_finish,
);

fn all_state_survives_an_orderly_restart(mode: Mode) {
    assert_survives(mode, |platform| {
        let status = platform.terminate();
        assert!(status.success(), "SIGTERM is an orderly end: {status}");
    });
}

fn all_state_survives_a_kill(mode: Mode) {
    assert_survives(mode, Platform::kill);
}

fn assert_survives(mode: Mode, stop: impl Fn(&Platform)) {
    let platform = Setup::new(mode).start();
    let (kept, freed) = (
        platform.register_car("kept"),
        platform.register_car("freed"),
    );
    let reservation = platform.reserve_and_confirm(&kept);
    let cancelled = platform.reserve_and_confirm(&freed);
    platform.cancel_and_wait(&cancelled, &freed);
    platform.wait_for_messages(&reservation, &[confirmation_text(&kept)]);
    platform.wait_for_messages(
        &cancelled,
        &[confirmation_text(&freed), cancellation_text(&freed)],
    );
    platform.wait_for_view(
        &kept,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    platform.wait_for_view(
        &freed,
        &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
    );
    let before = everything(&platform);

    stop(&platform);
    let platform = platform.restart();
    eventually(|| everything(&platform), |after| *after == before);

    // Ids continue, the car is still reserved, and the reservation can still be cancelled.
    let later = platform.register_car("afterwards");
    assert_eq!(later.id, freed.id + 1);
    platform
        .try_reserve(&kept)
        .problem(409, "car-not-available");
    platform.cancel_and_wait(&reservation, &kept);
    platform.wait_for_messages(
        &reservation,
        &[confirmation_text(&kept), cancellation_text(&kept)],
    );
    platform.reserve_and_confirm(&later);
}

/// Every resource of the platform. The links are left out, because they contain a port that changes.
fn everything(platform: &Platform) -> Vec<Value> {
    [
        "/cars",
        "/reservations",
        "/payments",
        "/messages",
        "/carviews",
    ]
    .iter()
    .flat_map(|list| platform.list(list, |_| true))
    .map(|mut item| {
        if let Some(fields) = item.as_object_mut() {
            fields.remove("_links");
        }
        item
    })
    .collect()
}

fn a_stop_lets_running_requests_finish(mode: Mode) {
    let platform = Setup::new(mode).start();
    let car = platform.register_car("last minute");
    let responses: Vec<_> = std::thread::scope(|scope| {
        let reservations: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    platform
                        .post("/reservations")
                        .json(&json!({"carId": car.id}))
                        .try_send()
                })
            })
            .collect();
        // The first reservation shows that the other requests have been sent.
        eventually(
            || platform.get("/reservations").send().json(),
            |list| list["page"]["totalElements"] != 0,
        );
        assert!(platform.terminate().success());
        reservations
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    // An accepted request got a whole response; a late one was not accepted.
    for response in responses.iter().flatten() {
        assert!(matches!(response.status, 201 | 409 | 503), "{response}");
    }
    let accepted = responses
        .iter()
        .flatten()
        .filter(|response| response.status == 201)
        .count();
    assert!(accepted <= 1, "{accepted} accepted");

    let platform = platform.restart();
    if accepted == 1 {
        platform.wait_for_car_status(&car, "reserved");
    }
    let settled = eventually(
        || platform.list("/reservations", |_| true),
        |all| {
            all.iter()
                .all(|item| item["status"] == "reserved" || item["status"] == "rejected")
        },
    );
    let reserved = settled
        .iter()
        .filter(|item| item["status"] == "reserved")
        .count();
    assert!(reserved <= 1 && reserved >= accepted, "{settled:#?}");
}

#[test]
fn a_new_host_on_the_same_redis_shows_the_same_fleet() {
    let first = Setup::new(Mode::Redis).start();
    let (car, other) = (
        first.register_car("shared"),
        first.register_car("also there"),
    );
    let reservation = first.reserve_and_confirm(&car);
    let row = first.wait_for_view(
        &car,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );

    // The second host has no view yet: it reads the log from the beginning.
    let second = first.start_second_host();
    assert_eq!(second.get_json(&reservation.path)["status"], "reserved");
    let same = second.wait_for_view(
        &car,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    assert_eq!(
        (&same["rsvId"], &same["payId"]),
        (&row["rsvId"], &row["payId"])
    );

    // Both hosts serve requests, and each sees what the other did.
    second.cancel_and_wait(&reservation, &car);
    first.wait_for_view(
        &car,
        &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
    );
    let again = first.reserve_and_confirm(&other);
    second.wait_for_view(
        &other,
        &json!({"rsvId": again.id, "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    second.wait_for_messages(&again, &[confirmation_text(&other)]);
}

/// SQLite notices the damage when a statement reads the page.
#[test]
fn a_damaged_store_is_not_ready_and_says_what_to_do() {
    let platform = Setup::new(Mode::Embedded).start();
    platform.register_car("kept");
    platform.terminate();
    damage(&platform.state_dir().join("socar.db"), "spin_key_value");
    let platform = platform.restart();
    eventually(
        || {
            let register = platform.post("/cars").json(&json!({"carName": "new"}));
            register.send();
            platform.get("/readyz").send().status
        },
        |status| *status == 503,
    );
    let causes = platform.get("/readyz?verbose").send().text();
    let is_named = causes.contains("socar.db is damaged") && causes.contains("restore the file");
    assert!(is_named, "{causes}");
    // It does not heal, and is not logged again and again.
    std::thread::sleep(Duration::from_secs(2));
    platform.get("/readyz").send().is(503);
    for line in ["writes are lost", "event log unavailable"] {
        let count = platform.output().matches(line).count();
        assert!(count <= 3, "{count} times {line}");
    }
}

/// The log reads its tables at the start.
#[test]
fn a_damaged_log_stops_the_start_and_says_what_to_do() {
    let platform = Setup::new(Mode::Embedded).start();
    platform.register_car("kept");
    platform.terminate();
    damage(&platform.state_dir().join("socar.db"), "socar_log_session");
    let output = socar()
        .args(["up", "--listen", "127.0.0.1:0", "-f"])
        .arg(root().join("spin.toml"))
        .arg("--state-dir")
        .arg(platform.state_dir())
        .output()
        .expect("socar starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let is_named = error.contains("socar.db is damaged") && error.contains("restore the file");
    assert!(is_named, "{error}");
}

/// Overwrites the first page of a table.
fn damage(file: &Path, table: &str) {
    let database = rusqlite::Connection::open(file).expect("a database");
    let page: u32 = database
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?1",
            [table],
            |row| row.get(0),
        )
        .expect("a table");
    database.close().expect("closed");
    let mut file = std::fs::File::options()
        .write(true)
        .open(file)
        .expect("a file");
    file.seek(SeekFrom::Start(u64::from(page - 1) * 4096))
        .and_then(|_| file.write_all(&[0x41; 4096]))
        .expect("written");
}
