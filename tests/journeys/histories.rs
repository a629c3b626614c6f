//! Do the rows of the view and the event log belong together, after one of them is lost?

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use harness::{Car, Mode, Platform, RedisServer, Setup, eventually, socar};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn a_view_whose_rows_are_lost_is_rebuilt() {
    let platform = Setup::new(Mode::Embedded).start();
    let car = platform.register_car("remembered");
    platform.wait_for_view(&car, &json!({"carStatus": "available"}));
    platform.terminate();
    let rows = platform.state_dir().join("sqlite");
    std::fs::remove_dir_all(&rows).expect("the rows of the view");
    let platform = platform.restart();
    platform.wait_for_view(&car, &json!({"carStatus": "available"}));
}

#[test]
fn a_view_of_a_history_that_is_lost_shows_nothing_of_it() {
    let platform = Setup::new(Mode::Embedded).start();
    let car = platform.register_car("forgotten");
    platform.wait_for_view(&car, &json!({"carStatus": "available"}));
    platform.terminate();
    for file in ["socar.db", "socar.db-wal", "socar.db-shm"] {
        let _ = std::fs::remove_file(platform.state_dir().join(file));
    }
    let platform = platform.restart();
    eventually(
        || platform.get(&format!("/carviews/{}", car.id)).send().status,
        |status| *status == 404,
    );
    let car = platform.register_car("new");
    platform.wait_for_view(&car, &json!({"carName": "new", "carStatus": "available"}));
}

#[test]
fn a_view_shows_nothing_that_a_restored_log_does_not_know() {
    let platform = Setup::new(Mode::Embedded).start();
    see(&platform, &platform.register_car("kept"), "kept");
    platform.terminate();
    let backup = copy(platform.state_dir());
    let platform = platform.restart();
    let lost = lose(&platform);
    platform.terminate();
    std::fs::remove_file(platform.state_dir().join("socar.db")).expect("the log");
    std::fs::copy(
        backup.path().join("socar.db"),
        platform.state_dir().join("socar.db"),
    )
    .expect("the log of the backup");
    assert_forgotten(&platform.restart(), &lost);
}

/// Its ids would be used a second time, and a reserved car sold again.
#[test]
fn a_lost_and_a_restored_store_are_refused_until_they_are_accepted() {
    let folder = TempDir::new().expect("a folder");
    let [file, backup] = ["cars.db", "backup.db"].map(|name| folder.path().join(name));
    let config = folder.path().join("runtime-config.toml");
    let text = format!(
        "[key_value_store.car]\ntype = \"spin\"\npath = {:?}\n",
        file.display().to_string()
    );
    std::fs::write(&config, text).expect("a file");
    let platform = Setup::new(Mode::Embedded)
        .argument("--runtime-config-file")
        .argument(&config.display().to_string())
        .start();
    platform.register_car("first");
    platform.terminate();
    std::fs::copy(&file, &backup).expect("a backup");
    let platform = platform.restart();
    platform.register_car("second");
    platform.terminate();

    std::fs::remove_file(&file).expect("the store");
    let platform = platform.restart();
    assert_refuses_foreign_cars(&platform);
    platform.terminate();

    std::fs::copy(&backup, &file).expect("the store of the backup");
    let platform = platform.restart();
    assert_refuses_foreign_cars(&platform);

    let output = socar()
        .args(["accept-store", "car", "--state-dir"])
        .arg(platform.state_dir())
        .output()
        .expect("socar starts");
    assert!(output.status.success(), "{output:?}");
    eventually(
        || platform.get("/readyz").send().status,
        |status| *status == 200,
    );
    let cars = platform.get("/cars").send().is(200).json();
    assert_eq!(cars["page"]["totalElements"], 1, "{cars:#}");
    platform.register_car("accepted");
}

fn assert_refuses_foreign_cars(platform: &Platform) {
    eventually(
        || platform.get("/readyz").send().status,
        |status| *status == 503,
    );
    let causes = platform.get("/readyz?verbose").send().text();
    assert!(causes.contains("socar accept-store car"), "{causes}");
    let refused = platform.post("/cars").json(&json!({"carName": "third"}));
    assert!(!refused.send().is(503).header("retry-after").is_empty());
    platform.get("/cars/1").send().is(503);
    platform.get("/reservations").send().is(200);
}

#[test]
fn a_view_shows_nothing_that_a_restored_redis_does_not_know() {
    let redis = Arc::new(RedisServer::start_durable());
    let platform = Setup::new(Mode::Redis).on(&redis).start();
    see(&platform, &platform.register_car("kept"), "kept");
    platform.terminate();
    redis.kill();
    let backup = copy(redis.folder());
    redis.restart();
    let platform = platform.restart();
    let lost = lose(&platform);
    platform.terminate();
    redis.kill();
    replace(redis.folder(), backup.path());
    redis.restart();
    assert_forgotten(&platform.restart(), &lost);
}

#[test]
fn restored_rows_get_the_events_that_they_lack() {
    for mode in [Mode::Embedded, Mode::Redis] {
        let platform = Setup::new(mode).start();
        see(&platform, &platform.register_car("kept"), "kept");
        platform.terminate();
        let rows = platform.state_dir().join("sqlite");
        let backup = copy(&rows);
        let platform = platform.restart();
        let later = platform.register_car("later");
        see(&platform, &later, "later");
        // The group of the view has acknowledged the event, and the host has written that down.
        platform.terminate();
        replace(&rows, backup.path());
        see(&platform.restart(), &later, "later");
    }
}

fn see(platform: &Platform, car: &Car, name: &str) {
    platform.wait_for_view(car, &json!({"carName": name, "carStatus": "available"}));
}

/// Registers a car, of which a backup knows nothing.
fn lose(platform: &Platform) -> Car {
    eventually(
        || platform.get("/readyz").send().status,
        |status| *status == 200,
    );
    let lost = platform.register_car("lost");
    see(platform, &lost, "lost");
    lost
}

fn assert_forgotten(platform: &Platform, lost: &Car) {
    eventually(
        || {
            platform
                .get(&format!("/carviews/{}", lost.id))
                .send()
                .status
        },
        |status| *status == 404,
    );
    let new = platform.register_car("new");
    assert_eq!(new.id, lost.id);
    see(platform, &new, "new");
}

fn copy(folder: &Path) -> TempDir {
    let target = TempDir::with_prefix("socar-backup-").expect("a directory");
    replace(target.path(), folder);
    target
}

/// Replaces the content of a directory with that of another one.
fn replace(target: &Path, source: &Path) {
    std::fs::remove_dir_all(target).expect("a directory");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(source)
        .arg(target)
        .status();
    assert!(copied.expect("cp").success());
}
