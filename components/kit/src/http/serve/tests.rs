use super::*;
use crate::http::{hal, problem};
use futures::executor::block_on;
use serde_json::{Value, json};

fn send(method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let route = |method: &Method, path: &[&str]| -> Option<ResponseFuture<'_>> {
        match (method.as_str(), path) {
            ("PATCH", ["things", "1"]) => Some(Box::pin(async {
                Err(Problem::unsupported_media_type("text/plain"))
            })),
            ("GET" | "PUT", ["things", "1"]) => Some(Box::pin(async {
                Ok(etag::tagged(hal::found(&json!({"thingId": 1})), 7))
            })),
            _ => None,
        }
    };
    block_on(serve(&request, route))
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn an_unknown_path_is_a_404_problem() {
    let response = send(Method::GET, "/nothing", &[]);
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], problem::MEDIA_TYPE);
    assert_eq!(
        body(&response)["type"],
        "https://socar.dev/problems/not-found"
    );
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
}

#[test]
fn a_wrong_method_is_a_405_problem_with_the_allowed_methods() {
    let response = send(Method::DELETE, "/things/1", &[]);
    assert_eq!(response.status(), 405);
    assert_eq!(
        response.headers()["allow"],
        "GET, PUT, PATCH, HEAD, OPTIONS"
    );
}

#[test]
fn a_preflight_is_answered_without_the_handler() {
    let response = send(
        Method::OPTIONS,
        "/things/1",
        &[("origin", "http://a.example")],
    );
    assert_eq!(response.status(), 204);
    assert!(
        response
            .headers()
            .contains_key("access-control-allow-methods")
    );
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let response = send(Method::HEAD, "/things/1", &[]);
    assert_eq!(response.status(), 200);
    assert!(response.body().is_empty());
    assert_eq!(response.headers()["etag"], "\"7\"");
}

/// Hosts of WASI HTTP compare the body with the announced length; over HTTP/2 the response would be
/// lost.
#[test]
fn a_response_without_a_body_announces_no_length() {
    for path in ["/things/1", "/nothing"] {
        let response = send(Method::HEAD, path, &[]);
        assert!(!response.headers().contains_key("content-length"), "{path}");
        let response = send(Method::GET, path, &[]);
        let length = response.body().len().to_string();
        assert_eq!(response.headers()["content-length"], length, "{path}");
    }
}

#[test]
fn a_current_copy_of_the_client_is_not_sent_again() {
    for tag in ["\"7\"", "W/\"7\"", "\"1\", \"7\"", "*"] {
        assert_eq!(
            send(Method::GET, "/things/1", &[("if-none-match", tag)]).status(),
            304,
            "{tag}"
        );
    }
    assert_eq!(
        send(Method::GET, "/things/1", &[("if-none-match", "\"8\"")]).status(),
        200
    );
    let lines = [("if-none-match", "\"8\""), ("if-none-match", "\"7\"")];
    assert_eq!(send(Method::GET, "/things/1", &lines).status(), 304);
}

/// A wrong path or method is reported as such, for a body of any size.
#[test]
fn path_and_method_are_checked_before_the_size_of_the_body() {
    let status = |method: Method, path: &str| {
        let mut request = Request::new(Bytes::from(vec![b' '; BODY_LIMIT + 1]));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        let route = |method: &Method, path: &[&str]| -> Option<ResponseFuture<'_>> {
            match (method.as_str(), path) {
                ("PUT", ["things"]) => Some(Box::pin(async { Ok(Response::default()) })),
                _ => None,
            }
        };
        block_on(serve(&request, route)).status().as_u16()
    };
    assert_eq!(status(Method::POST, "/nothing"), 404);
    assert_eq!(status(Method::POST, "/things"), 405);
    assert_eq!(status(Method::PUT, "/things"), 413);
}

#[test]
fn a_get_whose_condition_is_false_is_not_performed() {
    for (tag, status) in [
        ("\"7\"", 200),
        ("*", 200),
        ("\"8\"", 412),
        ("7", 412),
        ("", 412),
    ] {
        let response = send(Method::GET, "/things/1", &[("if-match", tag)]);
        assert_eq!(response.status(), status, "{tag}");
    }
    let both = [("if-match", "\"8\""), ("if-none-match", "\"7\"")];
    assert_eq!(send(Method::GET, "/things/1", &both).status(), 412);
}

#[test]
fn equivalent_urls_name_one_resource() {
    for path in ["/%74hings/1", "/things/%31", "/things/1/"] {
        assert_eq!(send(Method::GET, path, &[]).status(), 200, "{path}");
    }
    assert_eq!(send(Method::GET, "/things%2F1", &[]).status(), 404);
}

#[test]
fn the_media_types_of_a_patch_are_listed() {
    for method in [Method::OPTIONS, Method::PATCH] {
        let response = send(method, "/things/1", &[]);
        let types = response.headers()["accept-patch"].to_str().unwrap();
        assert!(types.contains("application/merge-patch+json"), "{types}");
    }
    assert!(
        !send(Method::PUT, "/things/1", &[])
            .headers()
            .contains_key("accept-patch")
    );
}

#[test]
fn a_page_may_send_the_trace_headers() {
    let response = send(Method::OPTIONS, "/things/1", &[]);
    let allowed = response.headers()["access-control-allow-headers"]
        .to_str()
        .unwrap();
    for name in ["*", "authorization", "traceparent", "tracestate", "baggage"] {
        assert!(
            allowed.split(", ").any(|each| each == name),
            "{name}: {allowed}"
        );
    }
}

#[test]
fn with_an_identity_only_pages_of_the_platform_read_a_response() {
    let mut preflight = send(Method::OPTIONS, "/things/1", &[]);
    let mut found = send(Method::GET, "/things/1", &[]);
    for (method, response) in [(Method::OPTIONS, &mut preflight), (Method::GET, &mut found)] {
        finish_response(&method, Readers::OwnPages, response);
        let names = response.headers().keys().map(http::HeaderName::as_str);
        let allows: Vec<_> = names
            .filter(|name| name.starts_with("access-control-"))
            .collect();
        assert!(allows.is_empty(), "{method}: {allows:?}");
    }
    assert!(preflight.headers().contains_key("allow"));
    assert!(found.headers().contains_key("etag"));
}
