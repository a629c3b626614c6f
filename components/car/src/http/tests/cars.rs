//! The public resource: register, read, modify, delete and list.

use super::*;
use kit::Store;
use std::time::Duration;

#[test]
fn a_registered_car_is_found_at_its_location() {
    let cars = repository();
    let created = send(&cars, "POST", "/cars", r#"{"carName":"Mercedes-Benz"}"#);
    assert_eq!(created.status(), 201);
    assert_eq!(created.headers()["location"], "http://h/cars/1");
    assert_eq!(body(&created)["carId"], 1);
    assert_eq!(body(&created)["status"], "available");
    assert_eq!(body(&send(&cars, "GET", "/cars/1", "")), body(&created));
    assert_eq!(cars.platform.published_types(), ["CarRegistered"]);
}

#[test]
fn put_replaces_and_patch_merges() {
    let cars = repository();
    let registered = r#"{"carName":"A","carType":"suv","amount":5}"#;
    send(&cars, "POST", "/cars", registered);
    let patched = body(&send(&cars, "PATCH", "/cars/1", r#"{"amount":6}"#));
    assert_eq!(
        (&patched["carType"], &patched["amount"]),
        (&json!("suv"), &json!(6))
    );
    let put = body(&send(&cars, "PUT", "/cars/1", r#"{"carName":"B"}"#));
    assert_eq!(
        (&put["carName"], &put["carType"], &put["amount"]),
        (&json!("B"), &json!(""), &json!(0))
    );
    assert_eq!(send(&cars, "PUT", "/cars/1", "{}").status(), 422);
    let unknown = send(&cars, "PUT", "/cars/9", r#"{"carName":"B"}"#);
    assert_eq!(unknown.status(), 404);
}

/// Many clients send null for every field that they have not set.
#[test]
fn a_null_in_a_new_car_counts_as_absent() {
    let cars = repository();
    let unset = r#"{"carId":null,"carName":"A","carType":null,"amount":null,"status":null}"#;
    let created = send(&cars, "POST", "/cars", unset);
    assert_eq!(created.status(), 201);
    assert_eq!(body(&created)["carType"], "");
    assert_eq!(body(&created)["amount"], 0);
    assert_eq!(send(&cars, "PUT", "/cars/1", unset).status(), 200);
    for (refused, field) in [
        (r#"{"carName":null}"#, "carName"),
        (r#"{"carName":"A","colour":null}"#, "colour"),
    ] {
        let response = send(&cars, "POST", "/cars", refused);
        assert_eq!(response.status(), 422, "{refused}");
        assert_eq!(body(&response)["field"], field, "{refused}");
    }
}

/// A PATCH is a merge patch: null removes (RFC 7396).
#[test]
fn a_null_in_a_patch_unsets_a_field() {
    let cars = repository();
    let registered = r#"{"carName":"A","carType":"suv","amount":5}"#;
    send(&cars, "POST", "/cars", registered);
    let merged = body(&send(&cars, "PATCH", "/cars/1", r#"{"carType":null}"#));
    assert_eq!(
        (&merged["carType"], &merged["amount"]),
        (&json!(""), &json!(5))
    );
    let merged = body(&send(&cars, "PATCH", "/cars/1", r#"{"amount":null}"#));
    assert_eq!(merged["amount"], 0);
    let refused = send(&cars, "PATCH", "/cars/1", r#"{"carName":null}"#);
    assert_eq!(
        (refused.status().as_u16(), &body(&refused)["field"]),
        (422, &json!("carName"))
    );
}

#[test]
fn a_write_whose_condition_is_false_changes_nothing() {
    let cars = repository();
    register(&cars, "A");
    for (name, value) in [
        ("if-none-match", "*"),
        ("if-none-match", "\"1\""),
        ("if-none-match", "\"7\", W/\"1\""),
        ("if-match", "\"1, \"2\""),
    ] {
        for (method, sent) in [
            ("PUT", r#"{"carName":"B"}"#),
            ("PATCH", r#"{"amount":7}"#),
            ("DELETE", ""),
        ] {
            let refused = send_with(&cars, method, "/cars/1", sent, &[(name, value)]);
            assert_eq!(refused.status(), 412, "{method} {name}: {value}");
        }
    }
    assert_eq!(send(&cars, "GET", "/cars/1", "").headers()["etag"], "\"1\"");
    let other = [("if-none-match", "\"7\"")];
    assert_eq!(
        send_with(&cars, "DELETE", "/cars/1", "", &other).status(),
        204
    );
    // A condition on a resource that does not exist is not evaluated.
    assert_eq!(
        send_with(&cars, "DELETE", "/cars/1", "", &[("if-match", "*")]).status(),
        404
    );
}

#[test]
fn a_client_can_send_back_what_it_read_but_not_set_the_status() {
    let cars = repository();
    register(&cars, "A");
    let read = String::from_utf8(send(&cars, "GET", "/cars/1", "").body().to_vec()).unwrap();
    assert_eq!(send(&cars, "PUT", "/cars/1", &read).status(), 200);
    let refused = send(&cars, "PATCH", "/cars/1", r#"{"status":"reserved"}"#);
    assert_eq!(refused.status(), 422);
    assert_eq!(body(&refused)["field"], "status");
}

#[test]
fn an_edit_of_an_older_version_is_refused() {
    let cars = repository();
    register(&cars, "A");
    let patch_version_1 = |body| {
        let headers = [("if-match", "\"1\"")];
        send_with(&cars, "PATCH", "/cars/1", body, &headers).status()
    };
    assert_eq!(patch_version_1(r#"{"amount":1}"#), 200);
    assert_eq!(patch_version_1(r#"{"amount":2}"#), 412);
    let headers = [("if-match", "\"1\"")];
    let deleted = send_with(&cars, "DELETE", "/cars/1", "", &headers);
    assert_eq!(deleted.status(), 412);
    assert_eq!(body(&send(&cars, "GET", "/cars/1", ""))["amount"], 1);
}

#[test]
fn a_deleted_car_leaves_every_page_and_its_number_is_not_used_again() {
    let cars = repository();
    for name in ["A", "B", "C"] {
        register(&cars, name);
    }
    assert_eq!(send(&cars, "DELETE", "/cars/2", "").status(), 204);
    assert_eq!(send(&cars, "GET", "/cars/2", "").status(), 404);
    register(&cars, "D");
    for sort in ["carId", "carName", "amount"] {
        let page = body(&send(&cars, "GET", &format!("/cars?sort={sort},desc"), ""));
        assert_eq!(page["page"]["totalElements"], 3, "{sort}");
        let rows = page["_embedded"]["cars"].as_array().unwrap().len();
        assert_eq!(rows, 3, "{sort}");
    }
}

#[test]
fn cars_of_the_same_amount_are_ordered_by_number() {
    let cars = repository();
    for name in ["A", "B", "C", "D"] {
        register(&cars, name);
    }
    let ids = |page: u64| -> Vec<u64> {
        let path = format!("/cars?sort=amount,desc&size=2&page={page}");
        let page = body(&send(&cars, "GET", &path, ""));
        let rows = page["_embedded"]["cars"].as_array().unwrap().clone();
        rows.iter()
            .map(|car| car["carId"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((ids(0), ids(1), ids(2)), (vec![1, 2], vec![3, 4], vec![]));
}

#[test]
fn a_number_that_a_crash_left_unused_is_not_counted() {
    let cars = repository();
    cars.platform.state.fail_once_after(1);
    let failed = send(&cars, "POST", "/cars", r#"{"carName":"Kia"}"#);
    assert_eq!(failed.status(), 503);
    register(&cars, "Ray");
    send(&cars, "GET", "/cars", "");
    for _ in 0..30 {
        cars.platform.advance(Duration::from_secs(5));
        assert_eq!(send(&cars, "POST", "/internal/sweep", "").status(), 200);
    }
    let list = body(&send(&cars, "GET", "/cars", ""));
    assert_eq!(list["_embedded"]["cars"][0]["carId"], 2);
    assert_eq!(list["page"]["totalElements"], 1);
}

/// A list suspects the number of a car while the car is being registered, and the car is deleted before the sweep.
#[test]
fn a_suspected_number_whose_car_was_deleted_leaves_the_pages() {
    let cars = repository();
    for name in ["A", "B", "C"] {
        register(&cars, name);
    }
    block_on(kit::numbering::orphans::suspect(&cars.platform, 3)).unwrap();
    assert_eq!(send(&cars, "DELETE", "/cars/3", "").status(), 204);
    let mut retired = 0;
    for _ in 0..30 {
        cars.platform.advance(Duration::from_secs(5));
        let swept = send(&cars, "POST", "/internal/sweep", "");
        assert_eq!(swept.status(), 200);
        retired += body(&swept)["retired"].as_u64().unwrap();
        // The page does not contain the number, so no list retires it.
        let list = body(&send(&cars, "GET", "/cars?size=1", ""));
        assert_eq!(list["page"]["totalElements"], 2);
    }
    assert_eq!(retired, 1);
    let suspects = block_on(kit::numbering::orphans::suspects(&cars.platform)).unwrap();
    assert_eq!(suspects.iter().count(), 0);
    assert_eq!(send(&cars, "GET", "/cars/3", "").status(), 404);
}

#[test]
fn a_car_is_registered_under_a_number_of_its_own_after_the_loss_of_the_counter() {
    let cars = repository();
    for name in ["a", "b", "c"] {
        register(&cars, name);
    }
    block_on(cars.platform.state.delete("ids")).unwrap();
    let registered = send(&cars, "POST", "/cars", r#"{"carName":"new"}"#);
    assert_eq!(registered.status(), 201);
    assert_eq!(body(&registered)["carId"], 4);
    assert_eq!(body(&registered)["carName"], "new");
    let list = body(&send(&cars, "GET", "/cars", ""));
    assert_eq!(list["page"]["totalElements"], 4, "{list}");
}

/// Between the allocation and the registration, another request takes the number.
#[test]
fn a_registration_under_the_number_of_another_car_is_not_confirmed() {
    let cars = repository();
    cars.platform.state.denies_swaps.set(true);
    cars.platform.state.after_next_swap(|values| {
        let value = String::from_utf8(values["car/1"].clone()).unwrap();
        let stored: Value = serde_json::from_str(&value).unwrap();
        let commit = stored["commit"].as_str().unwrap();
        let value = value.replace(commit, "of another registration");
        values.insert("car/1".into(), value.into_bytes());
    });
    let registered = send(&cars, "POST", "/cars", r#"{"carName":"new"}"#);
    assert_eq!(registered.status(), 503, "{}", body(&registered));
}
