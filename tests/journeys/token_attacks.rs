//! What does a user get who sends a valid token and tries everything else? Nothing that belongs to another, and no hint
//! that it exists.

use harness::{Mode, Platform, RequestBuilder, Setup, platform_authorization};
use http::Method;
use serde_json::{Value, json};

/// The key of the contexts' platform tokens.
const CONTEXT_KEY: &str = "key-of-the-contexts";

/// A number that no aggregate has.
const ABSENT: u64 = 9999;

struct Users {
    platform: Platform,
    alice: Platform,
    bob: Platform,
    /// The path of a confirmed reservation of alice.
    reservation: String,
}

fn users() -> Users {
    let platform = Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument("local")
        .variable("context_token", CONTEXT_KEY)
        .start();
    let company = platform.signed_in("host", "company");
    let alice = platform.signed_in("customer", "alice");
    let car = company.register_car("attacks");
    Users {
        reservation: alice.reserve_and_confirm(&car).path,
        bob: platform.signed_in("customer", "bob"),
        alice,
        platform,
    }
}

/// Preconditions, methods and the text of the response say nothing about what a user may not see.
#[test]
fn what_belongs_to_another_looks_like_what_does_not_exist() {
    let users = users();
    let absent = format!("/reservations/{ABSENT}");
    let etag = users.alice.get(&users.reservation).send().is(200);
    let etag = etag.header("etag").to_owned();
    let plain = |request: RequestBuilder| request;
    let cancel = |request: RequestBuilder| request.json(&json!({"status": "reqCancel"}));
    let matching = |request: RequestBuilder| request.header("if-match", &etag);
    let stale = |request: RequestBuilder| request.header("if-match", "\"77\"");
    let unchanged = |request: RequestBuilder| request.header("if-none-match", &etag);
    let any = |request: RequestBuilder| request.header("if-none-match", "*");
    type Send<'a> = &'a dyn Fn(RequestBuilder) -> RequestBuilder;
    let attempts: [(Method, &str, Send<'_>); 11] = [
        (Method::GET, "", &plain),
        (Method::GET, "", &unchanged),
        (Method::GET, "", &any),
        (Method::GET, "", &stale),
        (Method::GET, "/timeline", &unchanged),
        (Method::DELETE, "", &plain),
        (Method::DELETE, "", &matching),
        (Method::DELETE, "", &stale),
        (Method::PATCH, "", &cancel),
        (Method::PATCH, "", &|request| matching(cancel(request))),
        (Method::PATCH, "", &|request| stale(cancel(request))),
    ];
    for (method, below, send) in attempts {
        let answer = |path: &str| {
            let target = format!("{path}{below}");
            let request = users.bob.request(method.clone(), &target);
            let mut problem = send(request).send().problem(404, "not-found");
            let text = problem.to_string();
            let number = path.rsplit('/').next().unwrap_or_default();
            problem = serde_json::from_str(&text.replace(number, "N")).expect("JSON");
            problem
        };
        let (hidden, unknown) = (answer(&users.reservation), answer(&absent));
        assert_eq!(hidden, unknown, "{method} {below}");
    }
    // Verbs that a resource does not have are refused for every number alike.
    for path in [&users.reservation, &absent] {
        let request = users.bob.put(path).json(&json!({}));
        request.send().problem(405, "method-not-allowed");
        let head = users.bob.request(Method::HEAD, path).send();
        assert_eq!(head.status, 404, "{head}");
    }
    assert_eq!(
        users.alice.get_json(&users.reservation)["status"],
        "reserved"
    );
}

/// A token counts in `Authorization` only, and nothing else changes whose request it is.
#[test]
fn nothing_but_the_token_says_who_asks() {
    let users = users();
    let token = harness::local_token(users.platform.state_dir(), "operator", "olga");
    let path = &users.reservation;
    users
        .platform
        .get(&format!("{path}?access_token={token}"))
        .send()
        .problem(401, "token-required");
    let headers = [
        (
            "cookie",
            format!("access_token={token}; socar-principal=platform"),
        ),
        ("x-authorization", format!("Bearer {token}")),
        ("proxy-authorization", format!("Bearer {token}")),
        ("socar-principal", "operator olga".to_owned()),
        ("x-forwarded-user", "alice".to_owned()),
    ];
    for (name, value) in &headers {
        let without = users.platform.get(path).header(name, value);
        without.send().problem(401, "token-required");
        let of_bob = users.bob.get(path).header(name, value);
        of_bob.send().problem(404, "not-found");
    }
    let overridden = users.bob.get("/cars/1");
    let overridden = overridden.header("x-http-method-override", "DELETE");
    overridden.send().is(200);
    // The customer of a reservation is the user, whatever the body says.
    let company = users.platform.signed_in("host", "company");
    let car = company.register_car("for another");
    let body = json!({"carId": car.id, "customerId": "alice"});
    let reserved = users.bob.post("/reservations").json(&body).send();
    if reserved.status == 201 {
        assert_eq!(reserved.json()["customerId"], "bob");
    }
    let of_alice = users.alice.get_json("/reservations");
    assert_eq!(of_alice["page"]["totalElements"], 1);
}

/// Commands between contexts have no route from outside, whatever the token.
#[test]
fn no_token_leads_to_internal_commands_from_outside() {
    let users = users();
    let platform_token = platform_authorization(CONTEXT_KEY, "car");
    let operator = harness::local_token(users.platform.state_dir(), "operator", "olga");
    for authorization in [platform_token, format!("Bearer {operator}")] {
        for path in [
            "/internal/sweep",
            "/internal/cars/1/hold",
            "/internal/cars/1/release",
        ] {
            let request = users.platform.post(path).json(&json!({"rsvId": ABSENT}));
            let request = request.header("authorization", &authorization);
            request.send().problem(404, "not-found");
        }
    }
    // The token of the platform for one context is none for another.
    let of_payment = platform_authorization(CONTEXT_KEY, "payment");
    let request = users.platform.get("/cars");
    let request = request.header("authorization", &of_payment);
    request.send().problem(401, "invalid-token");
}

/// An id of a request is the word of its sender. Who acted is not.
#[test]
fn an_invented_cause_does_not_change_the_actor() {
    let users = users();
    let forged = users.alice.delete(&users.reservation);
    let forged = forged.header("x-request-id", "payment/1/1");
    forged.send().is(200);
    let timeline = users
        .alice
        .get_json(&format!("{}/timeline", users.reservation));
    let steps = timeline["steps"].as_array().expect("steps");
    let cancelled = |step: &&Value| step["status"] == "reqCancel";
    let step = steps.iter().find(cancelled).expect("the cancellation");
    assert_eq!(step["actor"], "alice", "{timeline:#}");
}

/// A customer cannot make the platform work for a list, or keep what it refuses.
#[test]
fn a_customer_cannot_ask_for_expensive_lists() {
    let users = users();
    let columns = vec!["carId"; 2000].join(",");
    users
        .alice
        .get(&format!("/reservations?sort={columns}"))
        .send()
        .problem(400, "bad-query");
    // The company's reservations of one car are found by an index that customers do not use.
    let of_car = users.bob.get_json("/reservations?carId=1");
    assert_eq!(of_car["page"]["totalElements"], 0);
}
