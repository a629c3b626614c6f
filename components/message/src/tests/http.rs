//! The HTTP surface, as a client sees it.

use super::*;
use ::http::{Method, header};
use kit::http::Response;
use serde_json::{Value, json};
use std::time::Duration;

fn send(messages: &MessageRepository<MemoryPlatform>, method: Method, path: &str) -> Response {
    send_with(messages, method, path, &[])
}

fn send_with(
    messages: &MessageRepository<MemoryPlatform>,
    method: Method,
    path: &str,
    headers: &[(header::HeaderName, &'static str)],
) -> Response {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let host = "socar.example".parse().unwrap();
    request.headers_mut().insert(header::HOST, host);
    for (name, value) in headers {
        let value = header::HeaderValue::from_static(value);
        request.headers_mut().append(name, value);
    }
    block_on(crate::http::handle(messages, request))
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn assert_problem(response: &Response, status: u16, slug: &str) {
    assert_eq!(response.status(), status);
    let kind = format!("https://socar.dev/problems/{slug}");
    assert_eq!(json_of(response)["type"], kind);
}

#[test]
fn a_message_can_be_read() {
    let messages = messages();
    deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
    let response = send(&messages, Method::GET, "/messages/1");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[header::ETAG], "\"1\"");
    let link = json!({"href": "http://socar.example/messages/1"});
    assert_eq!(
        json_of(&response),
        json!({
            "msgId": 1, "carId": 3, "rsvId": 7,
            "kind": "reservation-confirmed", "parameters": {"carId": 3, "rsvId": 7},
            "content": "예약이 완료 되었습니다. 차량번호 : 3",
            "sentAt": "2023-11-14T22:13:20.000Z",
            "_links": {"self": link, "message": link},
        })
    );
}

#[test]
fn the_text_is_in_the_language_of_the_client() {
    let messages = messages();
    deliver(&messages, Event::ReservationCancelled, 7, 3).unwrap();
    let english = [(header::ACCEPT_LANGUAGE, "en-GB, ko;q=0.5")];
    let mut tags = Vec::new();
    for (headers, language, content) in [
        (&[][..], "ko", "예약이 취소 되었습니다. 차량번호 : 3"),
        (
            &english,
            "en",
            "Your reservation is cancelled. Car number: 3",
        ),
    ] {
        for path in ["/messages/1", "/messages"] {
            let response = send_with(&messages, Method::GET, path, headers);
            let page = json_of(&response);
            let message = page.pointer("/_embedded/messages/0").unwrap_or(&page);
            assert_eq!(message["content"], content);
            assert_eq!(message["kind"], "reservation-cancelled");
            assert_eq!(response.headers()[header::CONTENT_LANGUAGE], language);
            assert_eq!(response.headers()[header::VARY], "accept-language");
            tags.push(response.headers()[header::ETAG].clone());
        }
    }
    assert!(tags[0] != tags[2] && tags[1] != tags[3]);
    let unchanged = [english[0].clone(), (header::IF_NONE_MATCH, "\"1-en\"")];
    let response = send_with(&messages, Method::GET, "/messages/1", &unchanged);
    assert_eq!(response.status(), 304);
    assert_eq!(response.headers()[header::VARY], "accept-language");
    let response = send_with(&messages, Method::GET, "/messages/1", &unchanged[1..]);
    assert_eq!(response.status(), 200);
}

#[test]
fn clients_can_only_read() {
    let messages = messages();
    deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
    for path in ["/messages", "/messages/1"] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let response = send(&messages, method, path);
            assert_problem(&response, 405, "method-not-allowed");
            assert_eq!(response.headers()[header::ALLOW], "GET, HEAD, OPTIONS");
        }
    }
    for path in [
        "/messages/2",
        "/messages/01",
        "/messages/x",
        "/messages/1/2",
    ] {
        assert_problem(&send(&messages, Method::GET, path), 404, "not-found");
    }
}

#[test]
fn lists_are_sorted_by_any_column_and_then_by_number() {
    let messages = messages();
    for (event, reservation, car) in [
        (Event::ReservationConfirmed as fn(_) -> _, 9, 5),
        (Event::ReservationRejected, 8, 5),
        (Event::ReservationCancelled, 9, 4),
    ] {
        deliver(&messages, event, reservation, car).unwrap();
        messages.platform.advance(Duration::from_secs(1));
    }
    let page = |query: &str| json_of(&send(&messages, Method::GET, &format!("/messages?{query}")));
    let order = |query: &str| -> Vec<u64> {
        let page = page(query);
        let rows = page["_embedded"]["messages"].as_array().unwrap();
        rows.iter()
            .map(|row| row["msgId"].as_u64().unwrap())
            .collect()
    };
    for (query, expected) in [
        ("", [1, 2, 3]),
        ("sort=msgId,asc", [1, 2, 3]),
        ("sort=msgId,desc", [3, 2, 1]),
        ("sort=carId", [3, 1, 2]),
        ("sort=carId,desc", [1, 2, 3]),
        ("sort=rsvId", [2, 1, 3]),
        ("sort=content", [2, 1, 3]),
        ("sort=sentAt,desc", [3, 2, 1]),
    ] {
        assert_eq!(order(query), expected, "{query}");
    }
    assert_eq!(order("size=2&page=1"), [3]);
    assert_eq!(order("size=2&page=1&sort=carId"), [2]);
    assert_eq!(page("size=2")["page"]["totalPages"], 2);
    let wrong = send(&messages, Method::GET, "/messages?sort=colour");
    assert_problem(&wrong, 400, "bad-query");
}

#[test]
fn an_empty_list_has_no_rows() {
    let messages = messages();
    let page = json_of(&send(&messages, Method::GET, "/messages"));
    assert_eq!(page["_embedded"]["messages"], json!([]));
    assert_eq!(page["page"]["totalElements"], 0);
}

#[test]
fn the_response_to_a_sweep_counts_what_it_did() {
    let swept = send(&messages(), Method::POST, "/internal/sweep");
    assert_eq!(json_of(&swept), json!({"retired": 0}));
}
