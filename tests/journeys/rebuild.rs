//! Is the view rebuilt from the log, or from the contexts where the log has been trimmed, while the old view
//! serves? Checkpoint CQRS.

use std::sync::Arc;

use harness::{
    Car, Mode, Platform, RedisServer, Setup, Stop, event_streams, eventually, in_background, socar,
};
use rusqlite::Connection;
use serde_json::{Value, json};

harness::journeys!(
    a_damaged_view_is_rebuilt_while_it_serves,
    a_rebuild_reads_what_the_log_has_lost_from_the_contexts,
);

fn a_damaged_view_is_rebuilt_while_it_serves(mode: Mode) {
    let platform = Setup::new(mode).start();
    let cars = populate(&platform);
    let expected = rows(&platform);
    corrupt_rows(&platform);
    assert_ne!(rows(&platform), expected);

    let read_until_stopped = |_, stop: &Stop| {
        let mut responses = 0;
        while !stop.is_set() {
            let list = platform.get("/carviews").send().is(200).json();
            let total = list["page"]["totalElements"].as_u64();
            assert!(total >= Some(cars.len() as u64), "{list:#}");
            responses += 1;
        }
        responses
    };
    let (responses, added) = in_background(1, read_until_stopped, || {
        // The rebuilt view must contain what happens during the rebuild.
        let added = platform.register_car("added");
        let output = rebuild(&platform);
        assert!(output.contains("viewpage rebuilt from"), "{output}");
        added
    });
    assert!(responses[0] > 0, "the view was not read during the rebuild");
    platform.wait_for_view(&added, &json!({"carName": "added"}));
    let after: Vec<Value> = rows(&platform)
        .into_iter()
        .filter(|row| row["carId"] != added.id)
        .collect();
    assert_eq!(after, expected);
}

fn a_rebuild_reads_what_the_log_has_lost_from_the_contexts(mode: Mode) {
    let platform = Setup::new(mode).start();
    let cars = populate(&platform);
    let expected = rows(&platform);
    cut_log(&platform);
    corrupt_rows(&platform);
    let output = rebuild(&platform);
    assert!(output.contains("queries of other components"), "{output}");
    assert_eq!(rows(&platform), expected);

    // Later events update the new rows.
    platform.reserve_and_confirm(&cars[0]);
    platform.wait_for_view(
        &cars[0],
        &json!({"carStatus": "reserved", "rsvStatus": "reserved"}),
    );
}

/// The manifest of the new host does not tell that the log has lost events.
#[test]
fn a_new_host_on_a_log_that_an_earlier_manifest_has_trimmed_shows_the_whole_fleet() {
    let redis = Arc::new(RedisServer::start());
    let on_redis = || Setup::new(Mode::Redis).on(&redis);
    let first = on_redis().manifest(|manifest| {
        let head = "[application.tool.socar]\n";
        manifest.replacen(head, &format!("{head}retention = \"1s\"\n"), 1)
    });
    let first = first.start();
    let car = first.register_car("trimmed");
    let view = json!({"carName": "trimmed", "carStatus": "available"});
    first.wait_for_view(&car, &view);
    eventually(|| first.events("socar.car"), Vec::is_empty);
    let second = on_redis().start();
    second.wait_for_view(&car, &view);
    eventually(
        || second.get("/readyz").send().status,
        |status| *status == 200,
    );
}

/// A free car, a reserved one, one whose reservation is cancelled, and a deleted one.
fn populate(platform: &Platform) -> Vec<Car> {
    let cars: Vec<Car> = (0..3)
        .map(|number| platform.register_car(&format!("rebuilt {number}")))
        .collect();
    let gone = platform.register_car("gone");
    platform.reserve_and_confirm(&cars[1]);
    let cancelled = platform.reserve_and_confirm(&cars[2]);
    platform.cancel_and_wait(&cancelled, &cars[2]);
    platform.delete(&gone.path).send().is(204);
    platform.drain_events();
    platform.wait_for_view(
        &cars[1],
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    platform.wait_for_view(
        &cars[2],
        &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
    );
    let gone = format!("/carviews/{}", gone.id);
    eventually(
        || platform.get(&gone).send(),
        |response| response.status == 404,
    );
    cars
}

fn rows(platform: &Platform) -> Vec<Value> {
    platform.list("/carviews", |_| true)
}

/// Changes rows in the database so that no event will ever correct them.
fn corrupt_rows(platform: &Platform) {
    let file = platform.state_dir().join("sqlite/viewpage.db");
    let database = Connection::open(file).expect("the view's database");
    database
        .execute_batch(
            "UPDATE g1_carviews SET carName = 'damaged', rsvStatus = 'reserved';
             UPDATE g1_cars SET carName = 'damaged', sequence = 1000;",
        )
        .expect("tables of the first generation");
}

/// Removes all entries of the log, as a retention of zero would.
fn cut_log(platform: &Platform) {
    match platform.redis_url() {
        Some(url) => {
            let client = ::redis::Client::open(url).expect("a URL");
            let mut connection = client.get_connection().expect("a Redis");
            for stream in event_streams(None) {
                let mut cut = ::redis::cmd("XTRIM");
                cut.arg(stream).arg("MAXLEN").arg(0);
                cut.query::<u64>(&mut connection).expect("a stream");
            }
        }
        None => {
            let file = platform.state_dir().join("socar.db");
            let database = Connection::open(file).expect("the log's database");
            let cut = "DELETE FROM socar_log_entry";
            eventually(|| database.execute(cut, []), Result::is_ok).expect("the log's table");
        }
    }
}

/// The output of `socar rebuild viewpage`.
fn rebuild(platform: &Platform) -> String {
    let mut command = socar();
    command
        .args(["rebuild", "viewpage", "--state-dir"])
        .arg(platform.state_dir());
    let output = command.output().expect("socar starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
