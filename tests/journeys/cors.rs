//! May pages of other origins use the platform: preflights, exposed headers, and readable refusals?

use harness::{Mode, Platform, Setup, TokenIssuer};
use http::Method;
use serde_json::json;

harness::journeys!(
    cross_origin_requests_are_allowed,
    a_page_of_another_origin_may_read_every_refusal,
);

fn cross_origin_requests_are_allowed(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("cross-origin");
    for path in ["/cars", car.path.as_str(), "/reservations", "/carviews"] {
        let response = platform
            .request(Method::OPTIONS, path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "PATCH")
            .header(
                "access-control-request-headers",
                "content-type, if-match, idempotency-key",
            )
            .send();
        assert!(matches!(response.status, 200 | 204), "{response}");
        let origin = response.header("access-control-allow-origin");
        assert!(matches!(origin, "*" | "https://shop.example"), "{response}");
        let headers = response
            .header("access-control-allow-headers")
            .to_lowercase();
        for header in ["content-type", "if-match", "idempotency-key"] {
            assert!(headers.contains(header), "{response}");
        }
    }
    let preflight = |path: &str| {
        let request = platform
            .request(Method::OPTIONS, path)
            .header("origin", "https://shop.example");
        request
            .header("access-control-request-method", "GET")
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

    for response in [
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
            response
                .optional_header("access-control-allow-origin")
                .is_some(),
            "{response}"
        );
        let exposed = response
            .header("access-control-expose-headers")
            .to_lowercase();
        assert!(
            exposed.contains("etag") && exposed.contains("location"),
            "{response}"
        );
    }
}

fn a_page_of_another_origin_may_read_every_refusal(mode: Mode) {
    let platform = Platform::shared(mode);
    // The component refuses the first size, the host the second.
    for length in [200 << 10, 8 << 20] {
        let huge = format!("{{\"carName\":\"{}\"}}", "x".repeat(length));
        let refused = platform.post("/cars").body("application/json", huge).send();
        refused.problem(413, "payload-too-large");
        assert_eq!(refused.header("access-control-allow-origin"), "*");
        let exposed = refused.header("access-control-expose-headers");
        assert!(exposed.contains("retry-after"), "{refused}");
    }
    // A request to a wrong path or with a wrong method is refused for that reason, whatever the size of its body.
    let large_body = "x".repeat(200 << 10);
    let send_large = |path: &str| {
        platform
            .post(path)
            .body("application/json", large_body.clone())
            .send()
    };
    for path in ["/payments", "/messages", "/carviews"] {
        let refused = send_large(path);
        refused.problem(405, "method-not-allowed");
        assert!(refused.header("allow").contains("GET"), "{refused}");
    }
    send_large("/cars/987654321/nothing").problem(404, "not-found");
}

/// A simple request needs no consent of the platform: a browser sends it, whatever page asks for it.
#[test]
fn a_foreign_page_changes_nothing_without_a_preflight() {
    let platform = Platform::shared(Mode::Embedded);
    let car = platform.register_car("foreign");
    let reserve = || {
        let order = format!("{{\"carId\":{}}}", car.id);
        platform.post("/reservations").body("text/plain", order)
    };
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let refused = reserve().header(name, value).send();
        refused.problem(403, "foreign-origin");
        let deleted = platform.delete(&car.path).header(name, value).send();
        deleted.problem(403, "foreign-origin");
    }
    platform
        .get(&car.path)
        .header("origin", "https://evil.example")
        .send()
        .is(200);
    // The page of the platform itself may do everything, and so may a page after a preflight.
    let origin = platform.url().to_owned();
    let modify = |name: &str, value: &str| {
        let request = platform.patch(&car.path).header("origin", &origin);
        request
            .header(name, value)
            .json(&json!({"amount": 2}))
            .send()
    };
    modify("sec-fetch-site", "same-origin").is(200);
    platform
        .delete(&car.path)
        .header("origin", "https://shop.example")
        .header("x-requested-with", "fetch")
        .send()
        .is(204);
}

#[test]
fn a_platform_with_identity_answers_to_allowed_origins_only() {
    let setup = Setup::new(Mode::Embedded).manifest(|manifest| {
        let allowed = "allowed_origins = [\"https://shop.example\"]\ntrusted_proxies = [";
        manifest.replacen("trusted_proxies = [", allowed, 1)
    });
    let platform = setup.argument("--identity").argument("local").start();
    let company = platform.signed_in("host", "company");
    let allowed = |origin: &str| {
        let response = company.get("/cars").header("origin", origin).send();
        let allowed = response.optional_header("access-control-allow-origin");
        allowed.map(str::to_owned)
    };
    assert_eq!(
        allowed("https://shop.example").as_deref(),
        Some("https://shop.example")
    );
    assert_eq!(allowed("https://evil.example"), None);
    // A refusal is no more readable than an answer.
    let refused = platform
        .get("/cars")
        .header("origin", "https://evil.example");
    let refused = refused.send().is(401);
    assert_eq!(refused.optional_header("access-control-allow-origin"), None);
    let preflight = |origin: &str| {
        let request = platform.request(Method::OPTIONS, "/cars");
        let request = request.header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let response = request.send();
        response
            .optional_header("access-control-allow-methods")
            .is_some()
    };
    assert!(preflight("https://shop.example"));
    assert!(!preflight("https://evil.example"));
}

/// As on stock Spin: the host is open, and each context verifies the tokens of its requests. A proxy in front may allow
/// origins.
#[test]
fn components_that_verify_tokens_answer_to_no_foreign_page() {
    let issuer = TokenIssuer::start();
    let setup = Setup::new(Mode::Embedded);
    let setup = setup.verified_by_components(&issuer.url(), &issuer.public_keys());
    let platform = setup.start();
    let company = platform.with_token(&issuer.token("host", "company"));
    let authorized = company.get("/cars");
    let refused = platform.get("/cars");
    let preflight = platform
        .request(Method::OPTIONS, "/cars")
        .header("access-control-request-method", "POST");
    for (request, status) in [(authorized, 200), (refused, 401), (preflight, 204)] {
        let response = request.header("origin", "https://evil.example").send();
        let response = response.is(status);
        let allowed = response.optional_header("access-control-allow-origin");
        assert_eq!(allowed, None, "{response}");
    }
}
