//! Do conditional requests work: `ETag`, `If-None-Match` and `If-Match`? Checkpoint request/response.

use harness::{Mode, Platform, eventually};
use http::Method;
use serde_json::json;

harness::journeys!(
    every_single_resource_has_an_etag,
    a_matching_etag_is_answered_with_304,
    a_stale_version_is_not_overwritten,
);

fn every_single_resource_has_an_etag(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("tagged");
    let reservation = platform.reserve_and_confirm(&car);
    let payment = platform.wait_for_payment(&reservation, "paid");
    let message = eventually(
        || platform.list("/messages", |message| message["rsvId"] == reservation.id),
        |messages| messages.len() == 1,
    );
    platform.wait_for_view(&car, &json!({"payStatus": "paid", "carStatus": "reserved"}));
    for path in [
        car.path.clone(),
        reservation.path.clone(),
        format!("/payments/{}", payment["payId"]),
        format!("/messages/{}", message[0]["msgId"]),
        format!("/carviews/{}", car.id),
    ] {
        let response = platform.get(&path).send().is(200);
        let tag = response.header("etag").to_owned();
        assert!(tag.ends_with('"') && tag.len() > 2, "{response}");
        let again = platform
            .get(&path)
            .header("if-none-match", &tag)
            .send()
            .is(304);
        assert!(again.body.is_empty(), "{again}");
        assert_eq!(again.header("etag"), tag);
        let head = platform.request(Method::HEAD, &path).send().is(200);
        assert!(head.body.is_empty(), "{head}");
        assert_eq!(head.header("etag"), tag);
    }
}

fn etag(platform: &Platform, path: &str) -> String {
    let response = platform.get(path).send().is(200);
    response.header("etag").to_owned()
}

fn a_matching_etag_is_answered_with_304(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("cached");
    let first = etag(&platform, &car.path);
    let fetch = |known: &str| {
        platform
            .get(&car.path)
            .header("if-none-match", known)
            .send()
            .status
    };
    assert_eq!(fetch(&first), 304);
    assert_eq!(fetch("*"), 304);
    assert_eq!(fetch(&format!("\"other\", {first}")), 304);
    assert_eq!(fetch("\"other\""), 200);

    platform
        .patch(&car.path)
        .json(&json!({"carName": "newer"}))
        .send()
        .is(200);
    let response = platform
        .get(&car.path)
        .header("if-none-match", &first)
        .send()
        .is(200);
    assert_ne!(response.header("etag"), first);
    assert_eq!(response.json()["carName"], "newer");
}

fn a_stale_version_is_not_overwritten(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("contended");
    let first = etag(&platform, &car.path);
    let changed = platform
        .patch(&car.path)
        .header("if-match", &first)
        .json(&json!({"carName": "second"}))
        .send()
        .is(200);
    let second = changed.header("etag").to_owned();
    assert_ne!(first, second);

    let stale = |request: harness::RequestBuilder| request.header("if-match", &first);
    for request in [platform.patch(&car.path), platform.put(&car.path)] {
        let response = stale(request).json(&json!({"carName": "third"})).send();
        response.problem(412, "precondition-failed");
    }
    stale(platform.delete(&car.path))
        .send()
        .problem(412, "precondition-failed");
    assert_eq!(platform.get_json(&car.path)["carName"], "second");
    platform
        .patch(&car.path)
        .header("if-match", "*")
        .json(&json!({"amount": 7}))
        .send()
        .is(200);

    let reservation = platform.reserve_and_confirm(&car);
    let cancel = |known: &str| {
        let request = platform.patch(&reservation.path).header("if-match", known);
        request.json(&json!({"status": "reqCancel"})).send()
    };
    cancel("\"stale\"").problem(412, "precondition-failed");
    let tag = etag(&platform, &reservation.path);
    cancel(&tag).is(200);
}
