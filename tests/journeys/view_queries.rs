//! Can the view be queried: sorted, filtered, in pages, and with a precise refusal of an invalid query? Checkpoint CQRS.
//! Each test gives its cars a type of its own, so that it can query these cars only.

use harness::{Car, Mode, Platform, eventually};
use serde_json::{Value, json};

harness::journeys!(
    every_column_sorts_both_ways_and_ties_are_broken_by_id,
    every_column_filters,
    filters_combine_and_compare_whole_values,
    a_search_finds_parts_of_names_types_and_numbers,
    pages_skip_and_repeat_no_row,
    a_page_beyond_the_last_is_empty,
    page_links_keep_the_query,
    an_invalid_query_is_refused,
);

/// The columns of the view.
pub const COLUMNS: [&str; 9] = [
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

/// The rows of a page.
pub fn rows(page: &Value) -> Vec<Value> {
    page["_embedded"]["carviews"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| panic!("a page has rows: {page:#}"))
}

/// The ids of the cars in these rows.
pub fn ids(rows: &[Value]) -> Vec<u64> {
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

fn a_search_finds_parts_of_names_types_and_numbers(mode: Mode) {
    let platform = Platform::shared(mode);
    let register = |name: &str, kind: &str| {
        platform.register(&json!({"carName": name, "carType": kind, "amount": 100}))
    };
    let cars = [
        register("쏘나타 Qx7", "세단 Wq9"),
        register("Qx7 EV", "suv wq9"),
        register("모닝", "WQ9"),
    ];
    let found = |query: &str| {
        let page = platform.get_json(&format!("/carviews?{query}&size=100"));
        let ids = ids(&rows(&page));
        assert_eq!(page["page"]["totalElements"], ids.len(), "{page:#}");
        ids
    };
    let all: Vec<u64> = cars.iter().map(|car| car.id).collect();
    eventually(|| found("q=wq9"), |ids| *ids == all);
    for (query, expected) in [
        ("q=WQ9&sort=carId,desc", &[all[2], all[1], all[0]][..]),
        ("q=qx7", &all[..2]),
        ("q=x7%20e", &all[1..2]),
        ("q=%EC%8F%98%EB%82%98%ED%83%80%20qx", &all[..1]),
        // Decomposed Hangul.
        (
            "q=%E1%84%8A%E1%85%A9%E1%84%82%E1%85%A1&carType=%EC%84%B8%EB%8B%A8%20Wq9",
            &all[..1],
        ),
        ("q=wq9&carName=Qx7+EV", &all[1..2]),
        ("q=wq9&carStatus=reserved", &[]),
        ("q=qx7wq9", &[]),
        ("q=%25wq9", &[]),
        ("q=wq9&page=1&size=2", &[all[2]]),
    ] {
        let page = platform.get_json(&format!("/carviews?{query}"));
        assert_eq!(ids(&rows(&page)), expected, "{query}");
    }
    // A number contains its digits.
    let digits = all[0].to_string();
    assert!(found(&format!("q={digits}&carType=%EC%84%B8%EB%8B%A8%20Wq9")).contains(&all[0]));
    // A car is found by its present name.
    let renamed = json!({"carName": "레이 Zk8"});
    platform.patch(&cars[2].path).json(&renamed).send().is(200);
    eventually(|| found("q=zk8"), |ids| *ids == [all[2]]);
    assert_eq!(found("q=%EB%AA%A8%EB%8B%9D&carType=WQ9"), [0; 0]);
    platform
        .get("/carviews?q=a&q=b")
        .send()
        .problem(400, "bad-query");
    assert_eq!(found("q=&carType=WQ9"), [all[2]]);
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
