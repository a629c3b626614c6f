//! Bad input is answered and changes nothing; what is internal stays inside; browsers and probes get what they need.

use harness::{Ask, Mode, Platform, Protocol, eventually};
use http::Method;
use serde_json::{Value, json};

harness::journeys!(
    malformed_json_is_answered,
    a_media_type_that_is_not_json_is_refused,
    unknown_and_unfit_fields_of_a_car_are_named,
    unknown_and_unfit_fields_of_a_reservation_are_named,
    names_of_any_script_are_kept,
    what_does_not_exist_is_not_found,
    a_wrong_verb_is_told_the_right_ones,
    a_body_over_the_limit_is_refused,
    a_rejected_command_changes_nothing,
    internal_commands_do_not_exist_outside,
    spin_headers_of_a_client_mean_nothing,
    a_browser_of_another_origin_may_ask,
    probes_find_the_host_healthy,
    the_root_is_a_page,
    http2_is_spoken_too,
);

fn malformed_json_is_answered(mode: Mode) {
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
        let answer = platform.post("/cars").body("application/json", body).send();
        assert!(matches!(answer.status, 400 | 422), "{answer}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
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

fn unknown_and_unfit_fields_of_a_car_are_named(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("checked");
    let endless = "x".repeat(10_000);
    for (field, value) in [
        ("carName", json!("")),
        ("carName", json!("   ")),
        ("carName", json!(7)),
        ("carName", json!(null)),
        ("carName", json!(endless)),
        ("carType", json!(["van"])),
        ("amount", json!(-1)),
        ("amount", json!(1.5)),
        ("amount", json!("100")),
        ("amount", json!(1e30)),
        ("colour", json!("red")),
    ] {
        let mut body = json!({"carName": "unfit"});
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
    assert_eq!(platform.look(&car.path)["carName"], "checked");
}

fn unknown_and_unfit_fields_of_a_reservation_are_named(mode: Mode) {
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
    assert_eq!(platform.look(&car.path)["status"], "available");
    let left = platform.all("/reservations", |seen| seen["carId"] == car.id);
    assert!(left.is_empty(), "{left:#?}");
}

fn names_of_any_script_are_kept(mode: Mode) {
    let platform = Platform::shared(mode);
    for name in [
        "아이오닉 5",
        "Škoda Citigo-e",
        "🚗",
        "<script>alert(1)</script>",
        "O'Brien; DROP TABLE cars",
        "a\u{301}\"\\/",
    ] {
        let car = platform.register(&json!({"carName": name, "carType": name}));
        assert_eq!(platform.look(&car.path)["carName"], name);
        platform.view_shows(&car, &json!({"carName": name, "carType": name}));
    }
}

fn what_does_not_exist_is_not_found(mode: Mode) {
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

fn a_wrong_verb_is_told_the_right_ones(mode: Mode) {
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
        let answer = platform.ask(method, path).json(&json!({})).send();
        answer.problem(405, "method-not-allowed");
        let allow: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        for verb in allowed {
            assert!(allow.contains(verb), "{verb} is allowed: {answer}");
        }
        assert!(
            !allow
                .iter()
                .any(|verb| ["PUT", "PATCH", "DELETE", "POST"].contains(verb)
                    && !allowed.contains(verb)),
            "{answer}"
        );
    }
}

fn a_body_over_the_limit_is_refused(mode: Mode) {
    let platform = Platform::shared(mode);
    // What the component refuses, and what the host does not even let in.
    for length in [200 << 10, 8 << 20] {
        let huge = format!("{{\"carName\":\"{}\"}}", "x".repeat(length));
        platform
            .post("/cars")
            .body("application/json", huge)
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
            .ask(method, &car.path)
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
    platform.announces("CarRegistered", &format!("car/{car}"));
    platform
        .events_where(|event| event["data"]["carId"] == car)
        .len()
}

fn internal_commands_do_not_exist_outside(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("guarded");
    let hold = format!("/internal/cars/{}/hold", car.id);
    let host = |name: &'static str| move |ask: Ask| ask.header("host", name);
    let dressings: [Box<dyn Fn(Ask) -> Ask>; 6] = [
        Box::new(|ask| ask),
        Box::new(host("car.spin.internal")),
        Box::new(host("payment.spin.internal")),
        Box::new(|ask| ask.header("spin-path-info", "/internal/sweep")),
        Box::new(|ask| ask.header("spin-client-addr", "0.0.0.0:0")),
        Box::new(|ask| ask.header("x-forwarded-host", "car.spin.internal")),
    ];
    for dress in &dressings {
        for path in [
            hold.clone(),
            format!("/cars{hold}"),
            format!("/%69nternal/cars/{}/hold", car.id),
            format!("//internal/cars/{}/hold", car.id),
            format!("/cars/../internal/cars/{}/hold", car.id),
            format!("/internal/cars/{}/release", car.id),
        ] {
            dress(platform.post(&path))
                .json(&json!({"rsvId": 1}))
                .send()
                .problem(404, "not-found");
        }
        for path in [
            "/internal/sweep",
            "/internal/payments",
            "/payments/internal/payments",
            "/internal",
            "/internal/",
        ] {
            let body = json!({"rsvId": 1, "carId": car.id, "amount": 1});
            let answer = dress(platform.post(path)).json(&body).send();
            answer.problem(404, "not-found");
        }
        dress(platform.delete("/internal/payments/1"))
            .send()
            .problem(404, "not-found");
    }
    assert_eq!(platform.look(&car.path)["status"], "available");
    platform.reserve_and_confirm(&car);
}

fn spin_headers_of_a_client_mean_nothing(mode: Mode) {
    let platform = Platform::shared(mode);
    let (car, other) = (
        platform.register_car("asked for"),
        platform.register_car("whispered"),
    );
    let answer = platform
        .get(&car.path)
        .header("spin-path-info", &other.path)
        .header(
            "spin-full-url",
            &format!("http://elsewhere.example{}", other.path),
        )
        .header("spin-component-route", "/cars")
        .send()
        .is(200)
        .json();
    assert_eq!(answer["carId"], car.id);
    let own = answer["_links"]["self"]["href"]
        .as_str()
        .unwrap_or_default();
    assert!(own.starts_with(platform.url()), "{answer:#}");
}

fn a_browser_of_another_origin_may_ask(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("cross-origin");
    for path in ["/cars", car.path.as_str(), "/reservations", "/carviews"] {
        let answer = platform
            .ask(Method::OPTIONS, path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "PATCH")
            .header(
                "access-control-request-headers",
                "content-type, if-match, idempotency-key",
            )
            .send();
        assert!(matches!(answer.status, 200 | 204), "{answer}");
        let origin = answer.header("access-control-allow-origin");
        assert!(matches!(origin, "*" | "https://shop.example"), "{answer}");
        let headers = answer.header("access-control-allow-headers").to_lowercase();
        for header in ["content-type", "if-match", "idempotency-key"] {
            assert!(headers.contains(header), "{answer}");
        }
    }
    let preflight = |path: &str| {
        let ask = platform
            .ask(Method::OPTIONS, path)
            .header("origin", "https://shop.example");
        ask.header("access-control-request-method", "GET")
            .send()
            .header("access-control-allow-methods")
            .to_owned()
    };
    assert!(
        preflight(&car.path).contains("PATCH"),
        "{}",
        preflight(&car.path)
    );
    assert!(
        preflight("/cars").contains("POST"),
        "{}",
        preflight("/cars")
    );

    for answer in [
        platform
            .get(&car.path)
            .header("origin", "https://shop.example")
            .send()
            .is(200),
        platform
            .get("/cars/987654321")
            .header("origin", "https://shop.example")
            .send()
            .is(404),
    ] {
        assert!(
            answer
                .header_if_any("access-control-allow-origin")
                .is_some(),
            "{answer}"
        );
        let exposed = answer
            .header("access-control-expose-headers")
            .to_lowercase();
        assert!(
            exposed.contains("etag") && exposed.contains("location"),
            "{answer}"
        );
    }
}

fn probes_find_the_host_healthy(mode: Mode) {
    let platform = Platform::shared(mode);
    assert_eq!(platform.look("/actuator/health")["status"], "UP");
    platform.get("/livez").send().is(200);
    eventually(
        || platform.get("/readyz").send().status,
        |status| *status == 200,
    );
    assert_eq!(
        platform
            .get("/.well-known/spin/health")
            .send()
            .is(200)
            .text(),
        "OK"
    );
}

fn the_root_is_a_page(mode: Mode) {
    let platform = Platform::shared(mode);
    let page = platform.get("/").send().is(200);
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{page}"
    );
    assert!(
        page.text().to_lowercase().contains("<!doctype html>"),
        "{page}"
    );
}

fn http2_is_spoken_too(mode: Mode) {
    let platform = Platform::shared(mode);
    let client = platform.client(Protocol::Http2);
    let answer = client
        .ask(Method::POST, "/cars")
        .json(&json!({"carName": "second version"}))
        .send()
        .is(201);
    let path = format!("/cars/{}", answer.json()["carId"]);
    let car = client.ask(Method::GET, &path).send().is(200).json();
    assert_eq!(car["carName"], "second version");
    assert_eq!(
        car["_links"]["self"]["href"],
        format!("{}{path}", platform.url()),
        "the authority counts as the host"
    );
}
