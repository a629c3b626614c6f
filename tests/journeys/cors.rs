//! May pages of other origins use the platform: preflights, exposed headers, and readable refusals?

use harness::{Mode, Platform};
use http::Method;

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
