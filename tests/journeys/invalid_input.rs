//! Is invalid input refused with a precise problem document and without any effect?

use harness::{Mode, Platform};
use http::Method;
use serde_json::{Value, json};

harness::journeys!(
    malformed_json_is_refused,
    a_media_type_that_is_not_json_is_refused,
    unknown_and_invalid_fields_of_a_car_are_named,
    unknown_and_invalid_fields_of_a_reservation_are_named,
    names_of_any_script_are_kept,
    an_unknown_resource_is_not_found,
    a_wrong_method_is_refused_with_the_allowed_ones,
    a_body_over_the_limit_is_refused,
    a_rejected_command_changes_nothing,
);

fn malformed_json_is_refused(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("well-formed");
    for body in [
        "",
        "{",
        "{\"carName\":",
        "carName=x",
        "{\"carName\":\"x\"} trailing",
    ] {
        platform
            .post("/cars")
            .body("application/json", body)
            .send()
            .problem(400, "malformed-json");
        platform
            .post("/reservations")
            .body("application/json", body)
            .send()
            .problem(400, "malformed-json");
        platform
            .patch(&car.path)
            .body("application/json", body)
            .send()
            .problem(400, "malformed-json");
    }
    let not_utf8 = vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'];
    platform
        .post("/cars")
        .body("application/json", not_utf8)
        .send()
        .problem(400, "malformed-json");
    let deep = "[".repeat(30_000);
    platform
        .post("/cars")
        .body("application/json", deep)
        .send()
        .problem(400, "malformed-json");
    for body in ["[]", "null", "1", "\"car\""] {
        let response = platform.post("/cars").body("application/json", body).send();
        assert!(matches!(response.status, 400 | 422), "{response}");
        assert_eq!(response.header("content-type"), "application/problem+json");
    }
}

fn a_media_type_that_is_not_json_is_refused(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("json only");
    let body = r#"{"carName":"typed"}"#;
    for media_type in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "nonsense",
    ] {
        platform
            .post("/cars")
            .body(media_type, body)
            .send()
            .problem(415, "unsupported-media-type");
        platform
            .patch(&car.path)
            .body(media_type, body)
            .send()
            .problem(415, "unsupported-media-type");
        platform
            .post("/reservations")
            .body(media_type, body)
            .send()
            .problem(415, "unsupported-media-type");
    }
    platform
        .post("/cars")
        .body("application/json;charset=UTF-8", body)
        .send()
        .is(201);
    platform
        .post("/cars")
        .body("Application/JSON", body)
        .send()
        .is(201);
}

fn unknown_and_invalid_fields_of_a_car_are_named(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("checked");
    let very_long = "x".repeat(10_000);
    for (field, value) in [
        ("carName", json!("")),
        ("carName", json!("   ")),
        ("carName", json!(7)),
        ("carName", json!(null)),
        ("carName", json!(very_long)),
        ("carType", json!(["van"])),
        ("amount", json!(-1)),
        ("amount", json!(1.5)),
        ("amount", json!("100")),
        ("amount", json!(1e30)),
        ("colour", json!("red")),
    ] {
        let mut body = json!({"carName": "invalid"});
        body[field] = value.clone();
        platform
            .post("/cars")
            .json(&body)
            .send()
            .invalid_field(field);
        platform
            .put(&car.path)
            .json(&body)
            .send()
            .invalid_field(field);
        platform
            .patch(&car.path)
            .json(&json!({field: value}))
            .send()
            .invalid_field(field);
    }
    platform
        .post("/cars")
        .json(&json!({"carType": "van"}))
        .send()
        .invalid_field("carName");
    assert_eq!(platform.get_json(&car.path)["carName"], "checked");
}

fn unknown_and_invalid_fields_of_a_reservation_are_named(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("unreserved");
    for (field, value) in [
        ("carId", json!(null)),
        ("carId", json!(-1)),
        ("carId", json!("1")),
        ("carId", json!(1.5)),
        ("status", json!("reserved")),
        ("status", json!("nonsense")),
        ("status", json!(1)),
        ("colour", json!("red")),
    ] {
        let mut body = json!({"carId": car.id, "status": "reqReserve"});
        body[field] = value;
        platform
            .post("/reservations")
            .json(&body)
            .send()
            .invalid_field(field);
    }
    platform
        .post("/reservations")
        .json(&json!({"status": "reqReserve"}))
        .send()
        .invalid_field("carId");
    assert_eq!(platform.get_json(&car.path)["status"], "available");
    let reservations = platform.list("/reservations", |item| item["carId"] == car.id);
    assert!(reservations.is_empty(), "{reservations:#?}");
}

fn names_of_any_script_are_kept(mode: Mode) {
    let platform = Platform::shared(mode);
    for name in [
        "아이오닉 5",
        "Škoda Citigo-e",
        "🚗",
        "<script>alert(1)</script>",
        "O'Brien; DROP TABLE cars",
        "\u{e1}\"\\/",
    ] {
        let car = platform.register(&json!({"carName": name, "carType": name}));
        assert_eq!(platform.get_json(&car.path)["carName"], name);
        platform.wait_for_view(&car, &json!({"carName": name, "carType": name}));
    }
    // Texts are stored in one spelling, whatever keyboard they were typed on.
    let car = platform.register(&json!({"carName": "a\u{301}"}));
    assert_eq!(platform.get_json(&car.path)["carName"], "\u{e1}");
}

fn an_unknown_resource_is_not_found(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("found");
    for list in ["/cars", "/reservations", "/payments", "/messages"] {
        for id in [
            "0",
            "abc",
            "987654321",
            "-1",
            "1.0",
            "+1",
            "01",
            "%31%32x",
            "99999999999999999999999999",
            "1/2",
        ] {
            platform
                .get(&format!("{list}/{id}"))
                .send()
                .problem(404, "not-found");
        }
    }
    for path in [
        "/nothing",
        "/car",
        "/carsx",
        "/CARS",
        "/favicon.php",
        "/cars/search",
    ] {
        platform.get(path).send().problem(404, "not-found");
    }
    platform
        .get(&format!("{}/bookings", car.path))
        .send()
        .problem(404, "not-found");
    platform
        .patch("/reservations/987654321")
        .json(&json!({"status": "reqCancel"}))
        .send()
        .problem(404, "not-found");
    platform
        .delete("/reservations/987654321")
        .send()
        .problem(404, "not-found");
}

fn a_wrong_method_is_refused_with_the_allowed_ones(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("verbs");
    let reservation = platform.reserve(&car);
    for (method, path, allowed) in [
        (Method::DELETE, "/cars", &["GET", "POST"][..]),
        (Method::PATCH, "/cars", &["GET", "POST"]),
        (
            Method::POST,
            car.path.as_str(),
            &["GET", "PUT", "PATCH", "DELETE"],
        ),
        (Method::PUT, "/reservations", &["GET", "POST"]),
        (
            Method::PUT,
            reservation.path.as_str(),
            &["GET", "PATCH", "DELETE"],
        ),
        (Method::POST, "/payments", &["GET"]),
        (Method::PATCH, "/payments/1", &["GET"]),
        (Method::DELETE, "/payments/1", &["GET"]),
        (Method::POST, "/messages", &["GET"]),
        (Method::DELETE, "/messages/1", &["GET"]),
        (Method::TRACE, "/cars", &["GET", "POST"]),
    ] {
        let response = platform.request(method, path).json(&json!({})).send();
        response.problem(405, "method-not-allowed");
        let allow: Vec<_> = response.header("allow").split(',').map(str::trim).collect();
        for method in allowed {
            assert!(allow.contains(method), "{method} is allowed: {response}");
        }
        assert!(
            !allow
                .iter()
                .any(|method| ["PUT", "PATCH", "DELETE", "POST"].contains(method)
                    && !allowed.contains(method)),
            "{response}"
        );
    }
}

fn a_body_over_the_limit_is_refused(mode: Mode) {
    let platform = Platform::shared(mode);
    // The component refuses the first size, the host the second.
    for length in [200 << 10, 8 << 20] {
        let large = format!("{{\"carName\":\"{}\"}}", "x".repeat(length));
        platform
            .post("/cars")
            .body("application/json", large)
            .send()
            .problem(413, "payload-too-large");
    }
    platform.register_car("still served");
}

fn a_rejected_command_changes_nothing(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register(&json!({"carName": "unchanged", "carType": "sedan", "amount": 10}));
    let (before, events) = (platform.get(&car.path).send(), events_of(&platform, car.id));
    let refused: [(Method, Value, u16); 4] = [
        (
            Method::PATCH,
            json!({"carName": "changed", "amount": -1}),
            422,
        ),
        (
            Method::PATCH,
            json!({"carName": "changed", "colour": "red"}),
            422,
        ),
        (Method::PUT, json!({"amount": 1}), 422),
        (
            Method::PATCH,
            json!({"carName": "changed", "status": "reserved"}),
            422,
        ),
    ];
    for (method, body, status) in refused {
        platform
            .request(method, &car.path)
            .json(&body)
            .send()
            .is(status);
    }
    let after = platform.get(&car.path).send();
    assert_eq!(after.json(), before.json());
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(events_of(&platform, car.id), events);
}

fn events_of(platform: &Platform, car: u64) -> usize {
    platform.wait_for_event("CarRegistered", &format!("car/{car}"));
    platform
        .events_where(|event| event["data"]["carId"] == car)
        .len()
}
