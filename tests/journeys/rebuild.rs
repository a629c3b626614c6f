//! The view is made anew from the log, or from the contexts where the log has been cut, while the old one answers.
//! Checkpoint CQRS.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::{Car, Mode, Platform, Setup, eventually, socar};
use rusqlite::Connection;
use serde_json::{Value, json};

harness::journeys!(
    a_damaged_view_is_rebuilt_while_it_serves,
    a_rebuild_reads_what_the_log_has_lost_from_the_contexts,
);

const STREAMS: [&str; 3] = ["socar.car", "socar.reservation", "socar.payment"];

fn a_damaged_view_is_rebuilt_while_it_serves(mode: Mode) {
    let platform = Setup::new(mode).start();
    let cars = story(&platform);
    let right = rows(&platform);
    damage(&platform);
    assert_ne!(rows(&platform), right);

    let stop = AtomicBool::new(false);
    let late = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut responses = 0;
            while !stop.load(Ordering::Relaxed) {
                let list = platform.get("/carviews").send().is(200).json();
                let total = list["page"]["totalElements"].as_u64();
                assert!(total >= Some(cars.len() as u64), "{list:#}");
                responses += 1;
            }
            responses
        });
        // What happens meanwhile must not be missing afterwards.
        let late = platform.register_car("meanwhile");
        let said = rebuild(&platform);
        assert!(said.contains("viewpage rebuilt from"), "{said}");
        stop.store(true, Ordering::Relaxed);
        let responses = reader.join().expect("every response was whole");
        assert!(responses > 0, "nobody asked");
        late
    });
    platform.wait_for_view(&late, &json!({"carName": "meanwhile"}));
    let after: Vec<Value> = rows(&platform)
        .into_iter()
        .filter(|row| row["carId"] != late.id)
        .collect();
    assert_eq!(after, right);
}

fn a_rebuild_reads_what_the_log_has_lost_from_the_contexts(mode: Mode) {
    let platform = Setup::new(mode).start();
    let cars = story(&platform);
    let right = rows(&platform);
    cut_log(&platform);
    damage(&platform);
    let said = rebuild(&platform);
    assert!(said.contains("answers of other components"), "{said}");
    assert_eq!(rows(&platform), right);

    // The new rows live on.
    platform.reserve_and_confirm(&cars[0]);
    platform.wait_for_view(
        &cars[0],
        &json!({"carStatus": "reserved", "rsvStatus": "reserved"}),
    );
}

/// A free car, a reserved one, one that was given back, and one that is gone.
fn story(platform: &Platform) -> Vec<Car> {
    let cars: Vec<Car> = (0..3)
        .map(|number| platform.register_car(&format!("rebuilt {number}")))
        .collect();
    let gone = platform.register_car("gone");
    platform.reserve_and_confirm(&cars[1]);
    let given_back = platform.reserve_and_confirm(&cars[2]);
    platform.cancel_and_wait(&given_back, &cars[2]);
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

/// Behind the platform's back, rows become wrong in a way that no event will ever put right.
fn damage(platform: &Platform) {
    let file = platform.state_dir().join("sqlite/viewpage.db");
    let database = Connection::open(file).expect("the view's database");
    database
        .execute_batch(
            "UPDATE g1_carviews SET carName = 'damaged', rsvStatus = 'reserved';
             UPDATE g1_cars SET carName = 'damaged', sequence = 1000;",
        )
        .expect("tables of the first generation");
}

/// Removes all that the log remembers, as a retention of no time would.
fn cut_log(platform: &Platform) {
    match platform.redis_url() {
        Some(url) => {
            let client = ::redis::Client::open(url).expect("a URL");
            let mut connection = client.get_connection().expect("a Redis");
            for stream in STREAMS {
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

/// `socar rebuild viewpage`, as an operator says it.
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
