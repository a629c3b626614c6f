//! Is the public interface complete, and nothing internal reachable? Internal paths, probes, HTTP versions; CORS is in [`crate::cors`].

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use harness::{Mode, Platform, Protocol, RequestBuilder, Response, eventually};
use http::Method;
use serde_json::json;

harness::journeys!(
    internal_paths_are_not_found_from_outside,
    spin_headers_of_a_client_are_ignored,
    the_probes_report_a_healthy_host,
    the_root_is_an_html_page,
    http2_is_served,
    a_head_response_has_no_body_in_any_version_of_http,
    an_absolute_request_target_is_routed_by_its_path,
);

fn internal_paths_are_not_found_from_outside(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("guarded");
    let hold = format!("/internal/cars/{}/hold", car.id);
    let host = |name: &'static str| move |request: RequestBuilder| request.header("host", name);
    let disguises: [Box<dyn Fn(RequestBuilder) -> RequestBuilder>; 6] = [
        Box::new(|request| request),
        Box::new(host("car.spin.internal")),
        Box::new(host("payment.spin.internal")),
        Box::new(|request| request.header("spin-path-info", "/internal/sweep")),
        Box::new(|request| request.header("spin-client-addr", "0.0.0.0:0")),
        Box::new(|request| request.header("x-forwarded-host", "car.spin.internal")),
    ];
    for disguise in &disguises {
        for path in [
            hold.clone(),
            format!("/cars{hold}"),
            format!("/%69nternal/cars/{}/hold", car.id),
            format!("//internal/cars/{}/hold", car.id),
            format!("/cars/../internal/cars/{}/hold", car.id),
            format!("/internal/cars/{}/release", car.id),
        ] {
            disguise(platform.post(&path))
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
            let response = disguise(platform.post(path)).json(&body).send();
            response.problem(404, "not-found");
        }
        disguise(platform.delete("/internal/payments/1"))
            .send()
            .problem(404, "not-found");
    }
    assert_eq!(platform.get_json(&car.path)["status"], "available");
    platform.reserve_and_confirm(&car);
}

fn spin_headers_of_a_client_are_ignored(mode: Mode) {
    let platform = Platform::shared(mode);
    let (car, other) = (
        platform.register_car("requested"),
        platform.register_car("other"),
    );
    let response = platform
        .get(&car.path)
        .header("spin-path-info", &other.path)
        .header(
            "spin-full-url",
            &format!("http://other.example{}", other.path),
        )
        .header("spin-component-route", "/cars")
        .send()
        .is(200)
        .json();
    assert_eq!(response["carId"], car.id);
    let own = response["_links"]["self"]["href"]
        .as_str()
        .unwrap_or_default();
    assert!(own.starts_with(platform.url()), "{response:#}");
}

fn the_probes_report_a_healthy_host(mode: Mode) {
    let platform = Platform::shared(mode);
    assert_eq!(platform.get_json("/actuator/health")["status"], "UP");
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

fn the_root_is_an_html_page(mode: Mode) {
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

fn http2_is_served(mode: Mode) {
    let platform = Platform::shared(mode);
    let client = platform.client(Protocol::Http2);
    let response = client
        .request(Method::POST, "/cars")
        .json(&json!({"carName": "second version"}))
        .send()
        .is(201);
    let path = format!("/cars/{}", response.json()["carId"]);
    let car = client.request(Method::GET, &path).send().is(200).json();
    assert_eq!(car["carName"], "second version");
    assert_eq!(
        car["_links"]["self"]["href"],
        format!("{}{path}", platform.url()),
        "the authority counts as the host"
    );
}

/// A response to HEAD over HTTP/2 must not announce a body that never arrives.
fn a_head_response_has_no_body_in_any_version_of_http(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("head");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let client = platform.client(protocol);
        for (path, status) in [
            (car.path.as_str(), 200),
            ("/cars?size=1", 200),
            ("/reservations", 200),
            ("/payments", 200),
            ("/messages", 200),
            ("/carviews", 200),
            ("/roomviews", 200),
            ("/", 200),
            ("/cars/987654321", 404),
            ("/nothing", 404),
            // The host itself answers this path.
            ("/livez", 200),
        ] {
            // Other journeys change the lists of this platform between two requests.
            eventually(
                || {
                    let head = client.request(Method::HEAD, path).send().is(status);
                    assert!(head.body.is_empty(), "{protocol:?}: {head}");
                    let read = client.request(Method::GET, path).send().is(status);
                    ["content-type", "etag"].map(|name| {
                        let of =
                            |response: &Response| response.optional_header(name).map(str::to_owned);
                        (of(&head), of(&read))
                    })
                },
                |headers| headers.iter().all(|(head, read)| head == read),
            );
        }
        let known = client.request(Method::HEAD, &car.path).send();
        let etag = known.header("etag");
        let again = client.request(Method::HEAD, &car.path);
        again.header("if-none-match", etag).send().is(304);
    }
}

fn an_absolute_request_target_is_routed_by_its_path(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("absolute target");
    let send_raw = |method: &str, target: &str, headers: &str| {
        let address = platform.url().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("a connection");
        let head = format!(
            "{method} {target} HTTP/1.1\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        response
    };
    let url = format!("http://fleet.example{}", car.path);
    let response = send_raw("GET", &url, "Host: other.example\r\n");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let own = format!("\"href\":\"{url}\"");
    assert!(response.contains(&own), "{response}");
    let twice = send_raw("GET", &car.path, "Host: a\r\nHost: b\r\n");
    assert!(twice.starts_with("HTTP/1.1 400 "), "{twice}");
    for host in ["car.spin.internal", "fleet.example"] {
        for path in [
            "/internal/sweep",
            "//internal/sweep",
            "/internal/cars/1/hold",
        ] {
            let target = format!("http://{host}{path}");
            for named in [host, "other.example"] {
                let response = send_raw("POST", &target, &format!("Host: {named}\r\n"));
                assert!(
                    response.starts_with("HTTP/1.1 404 "),
                    "{target}: {response}"
                );
            }
        }
    }
}
