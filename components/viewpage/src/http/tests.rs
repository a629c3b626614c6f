//! The HTTP surface, as a client sees it.

use super::*;
use crate::fixtures::*;
use bytes::Bytes;
use futures::executor::block_on;
use http::StatusCode;
use serde_json::{Value as Json, json};

/// 2026-11-29 20:30 UTC.
const NOW: u64 = 1_795_984_200_000;

fn send(model: &MemoryModel, method: Method, target: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = target.parse().unwrap();
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("fleet.example"));
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    block_on(handle(model, request, Timestamp::from_millis(NOW)))
}

fn get(model: &MemoryModel, target: &str) -> Response {
    send(model, Method::GET, target, &[])
}

fn body(response: &Response) -> Json {
    serde_json::from_slice(response.body()).unwrap()
}

/// The car ids of a list.
fn car_ids(model: &MemoryModel, target: &str) -> Vec<u64> {
    let response = get(model, target);
    assert_eq!(response.status(), 200, "{target}: {:?}", response.body());
    let body = body(&response);
    let rows = body["_embedded"]["carviews"].as_array().unwrap();
    rows.iter()
        .map(|row| row["carId"].as_u64().unwrap())
        .collect()
}

/// Car 1 is reserved and paid. Cars 2 and 3 are new; the name of car 3 contains a blank.
fn three_cars() -> MemoryModel {
    let model = model();
    for event in [
        car_registered(1, 1, "Kia"),
        car_registered(2, 1, "Bolt"),
        car_registered(3, 1, "Mercedes Benz"),
        reservation(7, 1, 1, "reqReserve"),
        payment(5, 1, 7, 1, "paid"),
        reservation(7, 2, 1, "reserved"),
        car_reserved(1, 2, "Kia", 7),
    ] {
        project(&model, &event);
    }
    model
}

#[test]
fn a_list_has_joined_rows_in_the_form_of_spring_data_rest() {
    let body = body(&get(&three_cars(), "/carviews?size=2"));
    let first = json!({
        "carId": 1, "carName": "Kia", "carType": "EV", "amount": 100, "carStatus": "reserved",
        "rsvId": 7, "rsvStatus": "reserved", "payId": 5, "payStatus": "paid",
        "_links": {
            "self": {"href": "http://fleet.example/carviews/1"},
            "carview": {"href": "http://fleet.example/carviews/1"},
        },
    });
    assert_eq!(body["_embedded"]["carviews"][0], first);
    assert_eq!(
        body["page"],
        json!({"size": 2, "totalElements": 3, "totalPages": 2, "number": 0})
    );
    let next = "http://fleet.example/carviews?page=1&size=2";
    assert_eq!(body["_links"]["next"]["href"], next);
}

#[test]
fn a_missing_value_is_null() {
    let body = body(&get(&three_cars(), "/carviews/2"));
    for column in ["rsvId", "rsvStatus", "payId", "payStatus"] {
        assert_eq!(body.get(column), Some(&Json::Null), "{column}");
    }
}

#[test]
fn lists_are_filtered_and_sorted_by_any_column() {
    let model = three_cars();
    for (query, expected) in [
        ("", &[1, 2, 3][..]),
        ("sort=carName", &[2, 1, 3]),
        ("sort=carName,desc", &[3, 1, 2]),
        ("sort=carStatus,desc&sort=carName,asc", &[1, 2, 3]),
        ("carId=2", &[2]),
        ("carName=Mercedes%20Benz", &[3]),
        ("carName=Mercedes+Benz", &[3]),
        ("carType=EV&sort=carId,desc", &[3, 2, 1]),
        ("amount=100&page=1&size=2", &[3]),
        ("amount=99", &[]),
        ("carStatus=available", &[2, 3]),
        ("carStatus=available&sort=carName,desc", &[3, 2]),
        ("rsvId=7", &[1]),
        ("rsvStatus=reserved", &[1]),
        ("payId=5", &[1]),
        ("payStatus=paid&carName=Kia", &[1]),
        ("payStatus=", &[2, 3]),
        ("rsvId=", &[2, 3]),
    ] {
        assert_eq!(
            car_ids(&model, &format!("/carviews?{query}")),
            expected,
            "{query}"
        );
    }
}

/// Keyboards of Apple send Hangul in parts (NFD).
#[test]
fn a_filter_finds_a_korean_name_from_every_keyboard() {
    let model = three_cars();
    project(&model, &car_registered(4, 1, "소나타"));
    for name in [
        "%EC%86%8C%EB%82%98%ED%83%80",
        "%E1%84%89%E1%85%A9%E1%84%82%E1%85%A1%E1%84%90%E1%85%A1",
    ] {
        let target = format!("/carviews?carName={name}");
        assert_eq!(car_ids(&model, &target), [4], "{name}");
    }
}

#[test]
fn a_page_beyond_the_last_row_is_empty() {
    for page in [5_000_000_000, u64::MAX] {
        for rest in [
            "",
            "&sort=carName,desc",
            "&carStatus=available",
            "&amount=100&sort=carName",
        ] {
            let target = format!("/carviews?page={page}{rest}");
            assert_eq!(car_ids(&three_cars(), &target), [0; 0], "{target}");
        }
    }
}

#[test]
fn the_links_of_a_filtered_list_keep_the_filter() {
    let body = body(&get(
        &three_cars(),
        "/carviews?size=1&carStatus=available&sort=carName,desc",
    ));
    assert_eq!(
        body["_links"]["next"]["href"],
        "http://fleet.example/carviews?carStatus=available&page=1&size=1&sort=carName%2Cdesc"
    );
    assert_eq!(body["page"]["totalElements"], 2);
}

#[test]
fn an_invalid_parameter_is_named_in_the_problem() {
    let model = three_cars();
    for (target, parameter) in [
        ("/carviews?amount=abc", "amount"),
        ("/carviews?amount=-1", "amount"),
        ("/carviews?amount=", "amount"),
        ("/carviews?amount=9223372036854775808", "amount"),
        ("/carviews?carId=0", "carId"),
        ("/carviews?rsvId=x", "rsvId"),
        ("/carviews?payId=1.5", "payId"),
        ("/carviews?colour=red", "colour"),
        ("/carviews?carName=a&carName=b", "carName"),
        ("/carviews?sort=colour", "sort"),
        ("/carviews?size=0", "size"),
        ("/carviews?page=-1", "page"),
        ("/carviews/1?x=1", "x"),
        ("/carviews/search?x=1", "x"),
        ("/carviews/search/findByRsvId", "rsvId"),
        ("/carviews/search/findByRsvId?rsvId=abc", "rsvId"),
        ("/carviews/search/findByRsvId?payId=1", "payId"),
        ("/carviews/search/findByPayId?payId=0", "payId"),
        ("/carviews/search/findByRsvId?rsvId=7&rsvId=7", "rsvId"),
        ("/carviews/search/findByPayId?payId=x&payId=5", "payId"),
        ("/carviews?sort=desc", "sort"),
        ("/carviews?page=0&page=1", "page"),
    ] {
        let response = get(&model, target);
        assert_eq!(response.status(), 400, "{target}");
        let body = body(&response);
        assert_eq!(body["type"], "https://socar.dev/problems/bad-query");
        assert_eq!(body["field"], parameter, "{target}");
    }
}

#[test]
fn the_summary_is_for_the_company() {
    let model = three_cars();
    let as_user = |principal: &str| {
        let headers = [("socar-principal", principal)];
        send(&model, Method::GET, "/carviews/summary", &headers)
    };
    for principal in ["host company", "operator olga", "platform"] {
        assert_eq!(as_user(principal).status(), 200, "{principal}");
    }
    for principal in ["customer alice", "anonymous"] {
        assert_eq!(as_user(principal).status(), 403, "{principal}");
    }
    let response = get(&model, "/carviews/summary");
    let found = body(&response);
    assert_eq!(found["cars"], 3);
    assert_eq!(found["byStatus"], json!({"available": 2, "reserved": 1}));
    assert_eq!(found["utilisation"], json!(0.3333));
    assert_eq!(found["attention"], json!([]));
    assert_eq!(found["asOf"], "2026-11-29T20:30:00.000Z");
    let hours = found["revenue"].as_array().unwrap();
    assert_eq!(hours.len(), 24);
    let zero = json!({"hour": "2026-11-29T20:00:00Z", "amount": 0, "payments": 0});
    assert_eq!(hours[23], zero);
    // The time alone makes no new version.
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let mut later = Request::new(Bytes::new());
    *later.uri_mut() = "/carviews/summary".parse().unwrap();
    later
        .headers_mut()
        .insert("host", HeaderValue::from_static("fleet.example"));
    later
        .headers_mut()
        .insert("if-none-match", tag.parse().unwrap());
    let later = block_on(handle(&model, later, Timestamp::from_millis(NOW + 1)));
    assert_eq!(later.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(get(&model, "/carviews/summary?x=1").status(), 400);
}

#[test]
fn a_row_is_found_by_car_by_reservation_and_by_payment() {
    let model = three_cars();
    let by_car = body(&get(&model, "/carviews/1"));
    assert_eq!(by_car["rsvId"], 7);
    for finder in ["findByRsvId?rsvId=7", "findByPayId?payId=5"] {
        let mut found = body(&get(&model, &format!("/carviews/search/{finder}")));
        assert_eq!(found["_embedded"]["carviews"][0], by_car, "{finder}");
        found.as_object_mut().unwrap().remove("_embedded");
        assert_eq!(found, by_car, "{finder}");
    }
    for missing in [
        "/carviews/9",
        "/carviews/abc",
        "/carviews/search/findByRsvId?rsvId=9",
        "/carviews/search/findByPayId?payId=9",
        "/carviews/search/findByName",
        "/internal/carviews",
    ] {
        assert_eq!(get(&model, missing).status(), 404, "{missing}");
    }
}

#[test]
fn the_finders_have_links() {
    let body = body(&get(&three_cars(), "/carviews/search"));
    assert_eq!(
        body["_links"]["findByRsvId"],
        json!({"href": "http://fleet.example/carviews/search/findByRsvId{?rsvId}", "templated": true})
    );
}

#[test]
fn an_unchanged_row_is_a_304() {
    let model = three_cars();
    let tag = get(&model, "/carviews/1").headers()["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let status = |model: &MemoryModel| {
        let headers = [("if-none-match", tag.as_str())];
        send(model, Method::GET, "/carviews/1", &headers).status()
    };
    assert_eq!(status(&model), StatusCode::NOT_MODIFIED);
    project(&model, &car_registered(4, 1, "another"));
    assert_eq!(status(&model), StatusCode::NOT_MODIFIED);
    project(&model, &payment(5, 2, 7, 1, "cancelled"));
    assert_eq!(status(&model), StatusCode::OK);
}

#[test]
fn the_resource_is_read_only() {
    let model = three_cars();
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let response = send(&model, method, "/carviews", &[]);
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
    }
}

#[test]
fn the_deprecated_alias_returns_the_same_response_with_a_link() {
    let model = three_cars();
    for rest in [
        "",
        "?size=1&sort=carName",
        "/1",
        "/search/findByRsvId?rsvId=7",
        "/9",
    ] {
        let (old, new) = (
            get(&model, &format!("/roomviews{rest}")),
            get(&model, &format!("/carviews{rest}")),
        );
        assert_eq!(old.status(), new.status(), "{rest}");
        if old.status() == 200 {
            assert_eq!(old.body(), new.body(), "{rest}");
        }
        assert_eq!(old.headers()["deprecation"], "true");
        let link = format!("<http://fleet.example/carviews{rest}>; rel=\"successor-version\"");
        assert_eq!(old.headers()["link"], link.as_str());
        assert!(!new.headers().contains_key("deprecation"));
    }
}
