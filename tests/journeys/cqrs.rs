//! Does the view answer what no single context knows: cars joined with reservation and payment, in sorted and
//! filtered pages? Checkpoint CQRS. Each test gives its cars a type of its own, so that it can query these cars
//! only.

use harness::{Car, Mode, Platform, eventually};
use serde_json::{Value, json};

harness::journeys!(
    a_row_joins_car_reservation_and_payment,
    every_column_sorts_both_ways_and_ties_are_broken_by_id,
    every_column_filters,
    filters_combine_and_compare_whole_values,
    pages_skip_and_repeat_no_row,
    a_page_beyond_the_last_is_empty,
    page_links_keep_the_query,
    a_row_is_found_by_its_reservation_and_by_its_payment,
    roomviews_is_a_deprecated_alias_of_carviews,
    an_invalid_query_is_refused,
    a_deleted_car_leaves_the_view,
    the_view_is_read_only,
);

const COLUMNS: [&str; 9] = [
    "carId",
    "carName",
    "carType",
    "amount",
    "carStatus",
    "rsvId",
    "rsvStatus",
    "payId",
    "payStatus",
];

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

/// Seven cars, some with equal names and amounts. Two are reserved, and one of these reservations is cancelled.
fn fleet(platform: &Platform, mark: &str) -> Vec<Car> {
    let cars: Vec<Car> = [
        ("delta", 300),
        ("alpha", 100),
        ("charlie", 300),
        ("alpha", 200),
        ("bravo", 100),
        ("alpha", 100),
        ("bravo", 300),
    ]
    .iter()
    .map(|(name, amount)| {
        platform.register(&json!({"carName": name, "carType": mark, "amount": amount}))
    })
    .collect();
    platform.reserve_and_confirm(&cars[2]);
    let cancelled = platform.reserve_and_confirm(&cars[5]);
    platform.cancel_and_wait(&cancelled, &cars[5]);
    platform.wait_for_view(
        &cars[2],
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    platform.wait_for_view(
        &cars[5],
        &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
    );
    eventually(
        || rows(&platform.get_json(&format!("/carviews?carType={mark}"))).len(),
        |count| *count == cars.len(),
    );
    cars
}

fn rows(page: &Value) -> Vec<Value> {
    page["_embedded"]["carviews"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| panic!("a page has rows: {page:#}"))
}

fn ids(rows: &[Value]) -> Vec<u64> {
    rows.iter()
        .map(|row| row["carId"].as_u64().expect("a row has a carId"))
        .collect()
}

fn every_column_sorts_both_ways_and_ties_are_broken_by_id(mode: Mode) {
    let platform = Platform::shared(mode);
    fleet(&platform, "sorted");
    for column in COLUMNS {
        for direction in ["asc", "desc"] {
            let page = platform.get_json(&format!(
                "/carviews?carType=sorted&sort={column},{direction}"
            ));
            let rows = rows(&page);
            assert_eq!(rows.len(), 7);
            let mut ties = Vec::new();
            for pair in rows.windows(2) {
                let order = compare(&pair[0][column], &pair[1][column]);
                let order = if direction == "asc" {
                    order
                } else {
                    order.reverse()
                };
                assert!(order.is_le(), "sorted by {column} {direction}: {rows:#?}");
                if order.is_eq() {
                    ties.push(compare(&pair[0]["carId"], &pair[1]["carId"]));
                }
            }
            ties.dedup();
            assert!(
                ties.len() <= 1,
                "ties by {column} {direction} go one way: {rows:#?}"
            );
        }
    }
}

/// Null before values; numbers by value; texts by code point.
fn compare(one: &Value, other: &Value) -> std::cmp::Ordering {
    match (one.as_u64(), other.as_u64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one
            .as_u64()
            .is_some()
            .cmp(&other.as_u64().is_some())
            .then(one.as_str().cmp(&other.as_str())),
    }
}

fn every_column_filters(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = fleet(&platform, "filtered");
    let wanted = platform.get_json(&format!("/carviews/{}", cars[2].id));
    for column in COLUMNS {
        let value = wanted[column]
            .as_str()
            .map_or_else(|| wanted[column].to_string(), str::to_owned);
        let filters = match column {
            "carType" => "carType=filtered".to_owned(),
            _ => format!("carType=filtered&{column}={value}"),
        };
        let page = platform.get_json(&format!("/carviews?{filters}"));
        let rows = rows(&page);
        assert!(
            ids(&rows).contains(&cars[2].id),
            "{column}={value}: {page:#}"
        );
        assert!(
            rows.iter().all(|row| row[column] == wanted[column]),
            "{column}={value}: {page:#}"
        );
        assert_eq!(page["page"]["totalElements"], rows.len(), "{page:#}");
    }
}

fn filters_combine_and_compare_whole_values(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = fleet(&platform, "combined");
    let query_ids = |query: &str| {
        ids(&rows(
            &platform.get_json(&format!("/carviews?carType=combined&{query}")),
        ))
    };
    assert_eq!(
        query_ids("carName=alpha&amount=100"),
        [cars[1].id, cars[5].id]
    );
    assert_eq!(
        query_ids("carName=alpha&carStatus=available"),
        [cars[1].id, cars[3].id, cars[5].id]
    );
    assert_eq!(query_ids("carName=alph"), [0; 0]);
    assert_eq!(query_ids("carName=%25"), [0; 0], "a filter is no pattern");
    assert_eq!(
        query_ids("carName=alpha%27%20OR%201%3D1%20--"),
        [0; 0],
        "a filter is no SQL"
    );
}

fn pages_skip_and_repeat_no_row(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = fleet(&platform, "paged");
    for sort in ["carName,asc", "amount,desc", "rsvStatus,asc", "carId,desc"] {
        let mut item = Vec::new();
        for number in 0..3 {
            let page = platform.get_json(&format!(
                "/carviews?carType=paged&sort={sort}&size=3&page={number}"
            ));
            assert_eq!(
                page["page"],
                json!({"size": 3, "totalElements": 7, "totalPages": 3, "number": number}),
                "{page:#}"
            );
            item.extend(ids(&rows(&page)));
        }
        item.sort_unstable();
        assert_eq!(
            item,
            cars.iter().map(|car| car.id).collect::<Vec<_>>(),
            "sorted by {sort}"
        );
    }
}

fn a_page_beyond_the_last_is_empty(mode: Mode) {
    let platform = Platform::shared(mode);
    fleet(&platform, "beyond");
    let page = platform.get_json("/carviews?carType=beyond&size=3&page=99");
    assert!(rows(&page).is_empty(), "{page:#}");
    assert_eq!(
        page["page"],
        json!({"size": 3, "totalElements": 7, "totalPages": 3, "number": 99})
    );
    let nothing = platform.get_json("/carviews?carType=there-is-no-such-type");
    assert!(rows(&nothing).is_empty(), "{nothing:#}");
    assert_eq!(
        nothing["page"],
        json!({"size": 20, "totalElements": 0, "totalPages": 0, "number": 0})
    );
}

fn page_links_keep_the_query(mode: Mode) {
    let platform = Platform::shared(mode);
    let cars = fleet(&platform, "linked");
    let mut page = platform.get_json("/carviews?carType=linked&sort=carName,desc&size=3");
    assert!(page["_links"]["prev"].is_null(), "{page:#}");
    let mut item = ids(&rows(&page));
    while let Some(next) = page["_links"]["next"]["href"].as_str() {
        let following = platform.get_json(next);
        let back = following["_links"]["prev"]["href"]
            .as_str()
            .expect("a way back")
            .to_owned();
        assert_eq!(ids(&rows(&platform.get_json(&back))), ids(&rows(&page)));
        page = following;
        item.extend(ids(&rows(&page)));
    }
    assert_eq!(item.len(), cars.len());
    let last = page["_links"]["last"]["href"]
        .as_str()
        .expect("a last page");
    assert_eq!(ids(&rows(&platform.get_json(last))), ids(&rows(&page)));
    let first = page["_links"]["first"]["href"]
        .as_str()
        .expect("a first page");
    assert_eq!(ids(&rows(&platform.get_json(first))), item[..3]);
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
        "the alias says that it is deprecated: {alias}"
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

fn an_invalid_query_is_refused(mode: Mode) {
    let platform = Platform::shared(mode);
    for path in [
        "/carviews",
        "/roomviews",
        "/cars",
        "/reservations",
        "/payments",
        "/messages",
    ] {
        for query in [
            "size=0",
            "size=-1",
            "size=1001",
            "size=many",
            "page=-1",
            "page=first",
            "sort=colour",
            "sort=carId,sideways",
            "page=99999999999999999999",
        ] {
            platform
                .get(&format!("{path}?{query}"))
                .send()
                .problem(400, "bad-query");
        }
    }
    for query in [
        "colour=red",
        "rsvId=abc",
        "amount=-1",
        "carName=a&carName=b",
    ] {
        platform
            .get(&format!("/carviews?{query}"))
            .send()
            .problem(400, "bad-query");
    }
    for id in ["abc", "0", "987654321", "99999999999999999999999"] {
        platform
            .get(&format!("/carviews/{id}"))
            .send()
            .problem(404, "not-found");
    }
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
