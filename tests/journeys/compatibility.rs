//! Do the requests of existing clients work unchanged? They run in their original order on an empty platform.

use harness::{Mode, Setup, eventually};
use serde_json::json;

harness::journeys!(the_calls_of_existing_clients_work_unchanged);

fn the_calls_of_existing_clients_work_unchanged(mode: Mode) {
    let platform = Setup::new(mode).start();

    let registered = platform
        .post("/cars")
        .json(&json!({"carName": "Mercedes-Benz"}))
        .send()
        .is(201);
    let car = registered.json();
    assert_eq!(car["carId"], 1);
    assert_eq!(car["carName"], "Mercedes-Benz");
    assert_eq!(car["status"], "available");
    assert!(
        registered.header("location").ends_with("/cars/1"),
        "{registered}"
    );

    let created = platform
        .post("/reservations")
        .json(&json!({"carId": 1, "status": "reqReserve"}))
        .send()
        .is(201);
    assert!(
        created.header("location").ends_with("/reservations/1"),
        "{created}"
    );
    assert_eq!(created.json()["rsvId"], 1);
    eventually(
        || platform.get_json("/reservations/1"),
        |item| item["status"] == "reserved",
    );
    eventually(
        || platform.get_json("/cars/1"),
        |item| item["status"] == "reserved",
    );
    let payment = platform.get_json("/payments/1");
    assert_eq!(payment["status"], "paid");
    assert_eq!(payment["rsvId"], 1);

    let list = platform.get_json("/reservations");
    assert_eq!(list["_embedded"]["reservations"][0]["rsvId"], 1, "{list:#}");
    assert_eq!(
        list["_embedded"]["reservations"][0]["status"], "reserved",
        "{list:#}"
    );
    assert_eq!(
        list["page"],
        json!({"size": 20, "totalElements": 1, "totalPages": 1, "number": 0})
    );

    platform
        .patch("/reservations/1")
        .json(&json!({"status": "reqCancel"}))
        .send()
        .is(200);
    eventually(
        || platform.get_json("/reservations/1"),
        |item| item["status"] == "cancelled",
    );
    eventually(
        || platform.get_json("/cars/1"),
        |item| item["status"] == "available",
    );
    assert_eq!(platform.get_json("/payments/1")["status"], "cancelled");

    let contents = |list: &serde_json::Value| -> Vec<serde_json::Value> {
        let messages = list["_embedded"]["messages"].as_array();
        messages
            .into_iter()
            .flatten()
            .map(|message| message["content"].clone())
            .collect()
    };
    let messages = eventually(
        || platform.get_json("/messages"),
        |list| contents(list).len() == 2,
    );
    assert_eq!(
        contents(&messages),
        [
            "예약이 완료 되었습니다. 차량번호 : 1",
            "예약이 취소 되었습니다. 차량번호 : 1"
        ]
    );
    assert_eq!(messages["_embedded"]["messages"][0]["msgId"], 1);
    assert!(messages["_embedded"]["messages"][0]["sentAt"].is_string());
}
