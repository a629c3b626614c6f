//! Do the rows of the view and the event log belong together, after one of them is lost?

use harness::{Mode, Setup, eventually};
use serde_json::json;

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
