//! Does the host serve HTTP correctly: health, static responses, routes, body limits, and an orderly stop?

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use harness::{Client, Protocol, eventually};
use http::Method;

use crate::saboteur::{Saboteur, manifest_with};

#[test]
fn the_host_answers_health_probes() {
    let saboteur = Saboteur::shared();
    for path in [
        "/livez",
        "/readyz",
        "/actuator/health",
        "/.well-known/spin/health",
    ] {
        saboteur.call(path).is(200);
    }
    assert_eq!(saboteur.call("/actuator/health").json()["status"], "UP");
    saboteur
        .request(Method::POST, "/livez")
        .send()
        .problem(405, "method-not-allowed");
}

#[test]
fn a_static_response_is_what_the_manifest_says() {
    let response = Saboteur::shared().call("/static").is(200);
    assert_eq!(
        (response.text().as_str(), response.header("content-type")),
        ("static", "text/plain")
    );
}

#[test]
fn the_most_specific_route_wins_and_passes_its_parameters() {
    let saboteur = Saboteur::shared();
    assert_eq!(saboteur.call("/greet/ann").is(200).text(), "hello ann");
    let response = saboteur.call("/echo/some/where?x=1").is(200).text();
    assert!(
        response.contains("spin-path-info: /echo/some/where\n"),
        "{response}"
    );
    assert!(
        response.contains("spin-matched-route: /...\n"),
        "{response}"
    );
    assert!(
        response.contains(&format!(
            "spin-full-url: {}/echo/some/where?x=1\n",
            saboteur.url()
        )),
        "{response}"
    );
}

#[test]
fn http2_is_served_on_the_same_port() {
    let client = Client::new(Saboteur::shared().url(), Protocol::Http2);
    assert_eq!(
        client
            .request(Method::GET, "/greet/two")
            .send()
            .is(200)
            .text(),
        "hello two"
    );
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let saboteur = Saboteur::shared();
    let large = vec![b'x'; (1 << 20) + 1];
    saboteur
        .request(Method::POST, "/echo")
        .body("text/plain", large)
        .send()
        .problem(413, "payload-too-large");
    let allowed = vec![b'x'; 1 << 20];
    let response = saboteur
        .request(Method::POST, "/echo")
        .body("text/plain", allowed)
        .send()
        .is(200);
    assert!(response.text().contains("body 1048576 bytes"));
}

/// If the host closed the connection while the client still sends, the client would see a reset in place of the
/// response.
#[test]
fn a_refusal_reaches_a_client_that_sends_eight_times_the_limit() {
    let saboteur = Saboteur::shared();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let client = Client::new(saboteur.url(), protocol);
        for _ in 0..3 {
            client
                .request(Method::POST, "/echo")
                .body("text/plain", vec![b'x'; 8 << 20])
                .send()
                .problem(413, "payload-too-large");
        }
        client.request(Method::GET, "/greet/on").send().is(200);
    }
}

#[test]
fn a_refusal_reaches_a_client_that_never_stops_sending() {
    let saboteur = Saboteur::shared();
    let mut stream = saboteur.connect();
    let length = 1_u64 << 30;
    let head = format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the head is sent");
    for _ in 0..16 {
        stream.write_all(&[b'x'; 1 << 20]).expect("it still reads");
    }
    let mut response = String::new();
    stream
        .read_to_string(&mut response)
        .expect("an response and an end");
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    assert!(response.contains("connection: close"), "{response}");
}

#[test]
fn a_body_of_unknown_length_beyond_the_limit_is_refused_too() {
    let address = Saboteur::shared()
        .url()
        .trim_start_matches("http://")
        .to_owned();
    let mut stream = TcpStream::connect(&address).expect("a connection");
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the head is sent");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        // The host may respond and close the connection before it has read everything.
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n");
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    let response = String::from_utf8_lossy(&response);
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
}

#[test]
fn a_stopping_host_finishes_running_requests() {
    let saboteur = Saboteur::start(&[]);
    thread::scope(|scope| {
        let slow = scope.spawn(|| saboteur.call("/sleep?ms=1000"));
        // The request must have arrived before the host is stopped.
        eventually(|| saboteur.log(), |log| log.contains("sleeping 1000 ms"));
        let status = saboteur.terminate();
        slow.join().expect("a response").is(200);
        assert_eq!(status.code(), Some(0), "{}", saboteur.log());
    });
    assert!(TcpStream::connect(saboteur.url().trim_start_matches("http://")).is_err());
}

/// The host closes connections that are idle or have sent nothing, because no request is lost.
#[test]
fn connections_without_a_request_do_not_delay_the_stop() {
    // Calls may take a minute, and a stop waits for running calls that long.
    let saboteur = Saboteur::start_with("", &[]);
    let manifest = manifest_with("").replace("deadline = \"2s\"", "deadline = \"60s\"");
    saboteur.deploy(&manifest);
    let _unused = saboteur.connect();
    let mut kept = saboteur.connect();
    kept.write_all(b"GET /static HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("a request");
    let mut response = [0; 12];
    kept.read_exact(&mut response).expect("a response");
    let mut incomplete = saboteur.connect();
    incomplete
        .write_all(b"GET /static HTTP/1.1\r\n")
        .expect("half a request");
    let started = Instant::now();
    assert_eq!(saboteur.terminate().code(), Some(0), "{}", saboteur.log());
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_state_directory_belongs_to_one_host_at_a_time() {
    let saboteur = Saboteur::start(&[]);
    let state = saboteur.state_dir().to_str().expect("a path").to_owned();
    let mut second = harness::socar();
    second.args([
        "up",
        "-f",
        "tests/saboteur/spin.toml",
        "--listen",
        "127.0.0.1:0",
        "--state-dir",
        &state,
    ]);
    let refused = second.output().expect("socar starts");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in use by another socar"));
    eventually(|| saboteur.call("/livez").status, |status| *status == 200);
}

#[test]
fn a_request_for_the_server_as_a_whole_is_answered_by_the_host() {
    let mut stream = Saboteur::shared().connect();
    stream
        .write_all(b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    assert!(response.starts_with("HTTP/1.1 204 "), "{response}");
    assert!(response.contains("allow: GET"), "{response}");
}

#[test]
fn http_1_0_may_ask_the_server_as_a_whole_too() {
    let response = exchange(Saboteur::shared(), "OPTIONS * HTTP/1.0\r\n\r\n");
    assert!(response.starts_with("HTTP/1.0 204 "), "{response}");
    let head = response.to_lowercase();
    assert!(!head.contains("transfer-encoding"), "{response}");
}

/// A client would take bytes of a body for the beginning of the next response.
#[test]
fn nothing_follows_the_head_of_a_204_but_the_next_response() {
    let first = "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n";
    let second = "GET /static HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let responses = exchange(Saboteur::shared(), &format!("{first}{second}"));
    let (head, rest) = responses.split_once("\r\n\r\n").expect("two responses");
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 204 "), "{responses}");
    assert!(!head.contains("content-length"), "{responses}");
    assert!(!head.contains("transfer-encoding"), "{responses}");
    assert!(rest.starts_with("HTTP/1.1 200 "), "{responses}");
    assert!(rest.ends_with("static"), "{responses}");
}

#[test]
fn an_address_with_user_information_reaches_no_component() {
    let saboteur = Saboteur::shared();
    for (target, host) in [
        ("http://u:p@h/echo/x", "h"),
        ("http://u@h/static", "h"),
        ("/echo/x", "u:p@h"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let response = exchange(saboteur, &head);
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        assert!(response.contains("/problems/bad-request"), "{response}");
        assert!(!response.contains("u:p"), "{response}");
    }
}

/// Sends the text on a connection of its own, and returns the whole response.
fn exchange(saboteur: &Saboteur, text: &str) -> String {
    let mut stream = saboteur.connect();
    stream.write_all(text.as_bytes()).expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    response
}

#[test]
fn a_request_that_proxies_read_in_different_ways_is_refused() {
    let saboteur = Saboteur::shared();
    for path in ["/static", "/echo/x", "/livez", "/nothing"] {
        for headers in [
            "",
            "Host: a\r\nHost: b\r\n",
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            let head = format!("POST {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
            let body = if headers.contains("chunked") {
                "0\r\n\r\n"
            } else {
                ""
            };
            let response = exchange(saboteur, &format!("{head}{body}"));
            assert!(
                response.starts_with("HTTP/1.1 400 "),
                "{path} {headers}: {response}"
            );
        }
    }
    let old = exchange(saboteur, "GET /static HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
}

#[test]
fn equivalent_spellings_of_a_path_reach_one_route() {
    let saboteur = Saboteur::shared();
    for path in ["/%67reet/me", "/greet/%6de", "/%67%72%65%65%74/m%65/"] {
        assert_eq!(saboteur.call(path).is(200).text(), "hello me", "{path}");
    }
    assert_eq!(saboteur.call("/st%61tic").is(200).text(), "static");
    saboteur.call("/l%69vez").is(200);
    // An encoded slash is part of its segment.
    let other = saboteur.call("/greet%2Fme");
    assert!(!other.text().contains("hello me"), "{other}");
}

#[test]
fn headers_of_an_unknown_proxy_reach_no_component() {
    let saboteur = Saboteur::shared();
    let request = saboteur
        .get("/echo/x")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example");
    let echoed = request.send().is(200).text();
    assert!(!echoed.contains("evil.example"), "{echoed}");
}

#[test]
fn a_failed_request_leaves_one_line_with_its_id_and_cause() {
    let saboteur = Saboteur::start(&[]);
    let request = saboteur.get("/trap").header("x-request-id", "order-7");
    request.send().problem(500, "component-trapped");
    let is_logged = |log: &String| {
        let mut lines = log.lines();
        lines.any(|line| {
            line.contains("request failed")
                && line.contains("order-7")
                && line.contains("saboteur")
                && line.contains("failed while handling")
        })
    };
    eventually(|| saboteur.log(), is_logged);
    for _ in 0..40 {
        saboteur.call("/trap").problem(500, "component-trapped");
    }
    assert!(saboteur.log().matches("request failed").count() <= 20);
}
