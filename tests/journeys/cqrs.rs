//! Does the view answer what no single context knows: cars joined with their reservation and payment? Checkpoint CQRS.
//! Sorting, filtering and paging are in [`crate::view_queries`].

use harness::{Mode, Platform, eventually};
use serde_json::{Value, json};

use crate::view_queries::{COLUMNS, ids, rows};

harness::journeys!(
    a_row_joins_car_reservation_and_payment,
    a_row_is_found_by_its_reservation_and_by_its_payment,
    roomviews_is_a_deprecated_alias_of_carviews,
    a_deleted_car_leaves_the_view,
    the_view_is_read_only,
);

fn a_row_joins_car_reservation_and_payment(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register(&json!({"carName": "joined", "carType": "row", "amount": 12_345}));
    let fresh = platform.wait_for_view(&car, &json!({"carStatus": "available"}));
    for column in ["rsvId", "rsvStatus", "payId", "payStatus"] {
        assert!(fresh[column].is_null(), "nothing is joined yet: {fresh:#}");
    }

    let reservation = platform.reserve_and_confirm(&car);
    let payment = platform.wait_for_payment(&reservation, "paid");
    let row = platform.wait_for_view(
        &car,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    let columns: Vec<Value> = COLUMNS.iter().map(|column| row[column].clone()).collect();
    let expected = json!([
        car.id,
        "joined",
        "row",
        12_345,
        "reserved",
        reservation.id,
        "reserved",
        payment["payId"],
        "paid"
    ]);
    assert_eq!(Value::from(columns), expected);
}

fn a_row_is_found_by_its_reservation_and_by_its_payment(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("searched");
    let reservation = platform.reserve_and_confirm(&car);
    let row = platform.wait_for_view(&car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));

    let by_reservation = format!("/carviews/search/findByRsvId?rsvId={}", reservation.id);
    assert_eq!(found(&platform, &by_reservation), [car.id]);
    let by_payment = format!("/carviews/search/findByPayId?payId={}", row["payId"]);
    assert_eq!(found(&platform, &by_payment), [car.id]);
    assert_eq!(
        found(&platform, "/carviews/search/findByRsvId?rsvId=987654321"),
        [0; 0]
    );

    for bad in [
        "findByRsvId",
        "findByRsvId?rsvId=abc",
        "findByPayId",
        "findByPayId?payId=-1",
    ] {
        platform
            .get(&format!("/carviews/search/{bad}"))
            .send()
            .problem(400, "bad-query");
    }
    platform
        .get("/carviews/search/findByColour?colour=red")
        .send()
        .problem(404, "not-found");
}

/// The cars that a search finds. The response may be a single row or a list.
fn found(platform: &Platform, search: &str) -> Vec<u64> {
    let response = platform.get(search).send();
    if response.status == 404 {
        response.problem(404, "not-found");
        return Vec::new();
    }
    let body = response.is(200).json();
    if body["carId"].is_u64() {
        ids(&[body])
    } else {
        ids(&rows(&body))
    }
}

fn roomviews_is_a_deprecated_alias_of_carviews(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register(&json!({"carName": "room", "carType": "alias"}));
    let row = platform.wait_for_view(&car, &json!({"carStatus": "available"}));

    let alias = platform
        .get(&format!("/roomviews/{}", car.id))
        .send()
        .is(200);
    assert_eq!(alias.json()["carName"], row["carName"]);
    assert!(
        alias.optional_header("deprecation").is_some(),
        "the alias is marked as deprecated: {alias}"
    );
    let list = platform.get_json("/roomviews?carType=alias");
    let embedded = list["_embedded"]["roomviews"]
        .as_array()
        .or(list["_embedded"]["carviews"].as_array());
    assert_eq!(embedded.map(Vec::len), Some(1), "{list:#}");
    assert_eq!(
        found(&platform, "/roomviews/search/findByRsvId?rsvId=987654321"),
        [0; 0]
    );
}

fn a_deleted_car_leaves_the_view(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("short-lived");
    platform.wait_for_view(&car, &json!({"carStatus": "available"}));
    platform.delete(&car.path).send().is(204);
    eventually(
        || platform.get(&format!("/carviews/{}", car.id)).send().status,
        |status| *status == 404,
    );
}

fn the_view_is_read_only(mode: Mode) {
    let platform = Platform::shared(mode);
    for path in ["/carviews", "/carviews/1", "/roomviews"] {
        let response = platform.post(path).json(&json!({})).send();
        response.problem(405, "method-not-allowed");
        assert!(response.header("allow").contains("GET"), "{response}");
        platform
            .delete(path)
            .send()
            .problem(405, "method-not-allowed");
    }
}
