//! Do the resources behave as HTTP resources: created, read, listed, modified and deleted? Checkpoint
//! request/response.

use harness::{Mode, Platform, Setup};
use serde_json::{Value, json};

harness::journeys!(
    a_car_is_registered_read_modified_and_deleted,
    a_list_is_paged_hal,
    cars_sort_by_their_columns_and_ties_by_id,
    a_put_replaces_what_a_patch_merges,
    a_cars_status_follows_from_its_bookings,
    a_car_with_a_live_booking_is_not_deleted,
    links_name_the_host_of_the_request,
);

fn a_car_is_registered_read_modified_and_deleted(mode: Mode) {
    let platform = Platform::shared(mode);
    let registered = platform
        .post("/cars")
        .json(&json!({"carName": "Niro", "carType": "SUV", "amount": 45_000}))
        .send()
        .is(201);
    let car = registered.json();
    let path = format!("/cars/{}", car["carId"]);
    assert!(
        registered.header("location").ends_with(&path),
        "{registered}"
    );
    assert_eq!(platform.get_json(&path), car);
    assert_eq!(car["amount"], 45_000);
    let own = car["_links"]["self"]["href"]
        .as_str()
        .expect("a link to itself");
    assert_eq!(own, format!("{}{path}", platform.url()));
    assert_eq!(car["_links"]["car"]["href"], own);

    let modified = platform
        .patch(&path)
        .json(&json!({"amount": 40_000}))
        .send()
        .is(200)
        .json();
    assert_eq!(
        (&modified["carName"], &modified["amount"]),
        (&json!("Niro"), &json!(40_000))
    );
    assert_eq!(platform.get_json(&path), modified);
    let event = platform.wait_for_event("CarModified", &format!("car/{}", car["carId"]));
    assert_eq!(event["data"]["amount"], 40_000);

    platform.delete(&path).send().is(204);
    platform.get(&path).send().problem(404, "not-found");
    platform
        .patch(&path)
        .json(&json!({"amount": 1}))
        .send()
        .problem(404, "not-found");
    platform.delete(&path).send().problem(404, "not-found");
    platform.wait_for_event("CarDeleted", &format!("car/{}", car["carId"]));
    let reserved = platform
        .post("/reservations")
        .json(&json!({"carId": car["carId"]}))
        .send();
    reserved.problem(404, "not-found");
    let listed = platform.list("/cars", |item| item["carId"] == car["carId"]);
    assert!(listed.is_empty(), "{listed:#?}");
}

fn a_list_is_paged_hal(mode: Mode) {
    let platform = Setup::new(mode).start();
    let empty = platform.get_json("/cars");
    assert_eq!(empty["_embedded"]["cars"], json!([]), "{empty:#}");
    assert_eq!(
        empty["page"],
        json!({"size": 20, "totalElements": 0, "totalPages": 0, "number": 0})
    );

    let cars: Vec<_> = (1..=5)
        .map(|number| platform.register_car(&format!("car {number}")))
        .collect();
    assert_eq!(
        cars.iter().map(|car| car.id).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5],
        "ids count from 1"
    );

    let link =
        |page: &Value, relation: &str| page["_links"][relation]["href"].as_str().map(str::to_owned);
    let ids = |page: &Value| -> Vec<Value> {
        let cars = page["_embedded"]["cars"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        cars.iter().map(|car| car["carId"].clone()).collect()
    };
    let first = platform.get_json("/cars?size=2");
    assert_eq!(ids(&first), [1, 2]);
    assert_eq!(
        first["page"],
        json!({"size": 2, "totalElements": 5, "totalPages": 3, "number": 0})
    );
    assert_eq!(link(&first, "prev"), None);
    let second = platform.get_json(&link(&first, "next").expect("a next page"));
    assert_eq!(ids(&second), [3, 4]);
    assert_eq!(
        ids(&platform.get_json(&link(&second, "self").expect("itself"))),
        [3, 4]
    );
    assert_eq!(
        ids(&platform.get_json(&link(&second, "prev").expect("the page before"))),
        [1, 2]
    );
    let last = platform.get_json(&link(&second, "last").expect("the last page"));
    assert_eq!(ids(&last), [5]);
    assert_eq!(link(&last, "next"), None);
    assert_eq!(
        ids(&platform.get_json(&link(&last, "first").expect("the first page"))),
        [1, 2]
    );
    let item = &last["_embedded"]["cars"][0];
    assert_eq!(
        item["_links"]["self"]["href"],
        format!("{}/cars/5", platform.url())
    );

    let beyond = platform.get_json("/cars?size=2&page=7");
    assert_eq!(ids(&beyond), [0; 0]);
    assert_eq!(beyond["page"]["totalElements"], 5);
    assert_eq!(
        ids(&platform.get_json("/cars?sort=carId,desc&size=2")),
        [5, 4]
    );

    // A deleted car leaves no gap in the pages.
    platform.delete(&cars[1].path).send().is(204);
    assert_eq!(ids(&platform.get_json("/cars?size=2")), [1, 3]);
    assert_eq!(
        platform.get_json("/cars?size=2")["page"]["totalElements"],
        4
    );

    for list in ["/reservations", "/payments", "/messages"] {
        let empty = platform.get_json(list);
        assert_eq!(empty["_embedded"][&list[1..]], json!([]), "{empty:#}");
    }
}

fn cars_sort_by_their_columns_and_ties_by_id(mode: Mode) {
    let platform = Setup::new(mode).start();
    for (name, car_type, amount) in [
        ("b", "x", 30),
        ("a", "y", 10),
        ("c", "x", 20),
        ("a", "z", 30),
    ] {
        platform.register(&json!({"carName": name, "carType": car_type, "amount": amount}));
    }
    for (sort, expected) in [
        ("carName", [2, 4, 1, 3]),
        ("carName,asc", [2, 4, 1, 3]),
        ("carName,desc", [3, 1, 2, 4]),
        ("carType,asc", [1, 3, 2, 4]),
        ("amount,desc", [1, 4, 3, 2]),
        ("carId,desc", [4, 3, 2, 1]),
    ] {
        let page = platform.get_json(&format!("/cars?sort={sort}"));
        let cars = page["_embedded"]["cars"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ids: Vec<_> = cars.iter().map(|car| car["carId"].clone()).collect();
        assert_eq!(ids, expected, "sorted by {sort}");
    }
}

fn a_put_replaces_what_a_patch_merges(mode: Mode) {
    let platform = Platform::shared(mode);
    let bare = platform.register(&json!({"carName": "bare"}));
    let bare = platform.get_json(&bare.path);

    let car = platform.register(&json!({"carName": "full", "carType": "van", "amount": 70_000}));
    platform
        .patch(&car.path)
        .json(&json!({"carName": "merged"}))
        .send()
        .is(200);
    let merged = platform.get_json(&car.path);
    assert_eq!(
        (&merged["carName"], &merged["carType"], &merged["amount"]),
        (&json!("merged"), &json!("van"), &json!(70_000))
    );

    platform
        .put(&car.path)
        .json(&json!({"carName": "replaced"}))
        .send()
        .is(200);
    let replaced = platform.get_json(&car.path);
    assert_eq!(replaced["carName"], "replaced");
    assert_eq!(
        replaced["carType"], bare["carType"],
        "a PUT without a type is a car without one"
    );
    assert_eq!(replaced["amount"], bare["amount"]);
    platform
        .put(&car.path)
        .json(&json!({"carType": "van"}))
        .send()
        .invalid_field("carName");
    platform
        .put("/cars/987654321")
        .json(&json!({"carName": "missing"}))
        .send()
        .problem(404, "not-found");
    platform.wait_for_view(&car, &json!({"carName": "replaced"}));
}

fn a_cars_status_follows_from_its_bookings(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("derived");
    platform
        .patch(&car.path)
        .json(&json!({"status": "reserved"}))
        .send()
        .invalid_field("status");
    platform
        .put(&car.path)
        .json(&json!({"carName": "derived", "status": "reserved"}))
        .send()
        .invalid_field("status");
    platform
        .post("/cars")
        .json(&json!({"carName": "derived", "status": "reserved"}))
        .send()
        .invalid_field("status");
    assert_eq!(platform.get_json(&car.path)["status"], "available");
}

fn a_car_with_a_live_booking_is_not_deleted(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("booked");
    let reservation = platform.reserve_and_confirm(&car);
    platform.delete(&car.path).send().problem(409, "car-booked");
    assert_eq!(platform.get_json(&car.path)["status"], "reserved");

    platform.cancel_and_wait(&reservation, &car);
    platform.delete(&car.path).send().is(204);
}

fn links_name_the_host_of_the_request(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("linked");
    let response = platform
        .get(&car.path)
        .header("host", "cars.example:8080")
        .send()
        .is(200)
        .json();
    assert_eq!(
        response["_links"]["self"]["href"],
        format!("http://cars.example:8080{}", car.path)
    );
    let list = platform
        .get("/cars?size=1")
        .header("host", "cars.example")
        .send()
        .is(200)
        .json();
    let own = list["_links"]["self"]["href"].as_str().unwrap_or_default();
    assert!(own.starts_with("http://cars.example/cars?"), "{list:#}");
}
