//! Do slow, greedy or numerous clients leave the port usable for others?

pub mod http2;
pub mod unread;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use harness::{Client, Protocol, eventually};
use http::Method;

use crate::saboteur::{Saboteur, call_deadline};
use http2::{GOAWAY, HEADERS, RST_STREAM, UnreadHttp2Connection};
use unread::UnreadClients;

/// Small enough to be reached in a test, large enough to be measured.
const SMALL_LIMITS: &str = r#"
[application.tool.socar.listener]
connections = 16
headers = 16
head = "8KiB"
head_time = "500ms"
body_time = "2s"
body_pause = "500ms"
write_pause = "500ms"
idle = "1500ms"
"#;

fn start_with_small_limits() -> Saboteur {
    Saboteur::start_with(SMALL_LIMITS, &[])
}

fn read_to_end(mut stream: TcpStream) -> String {
    let mut response = Vec::new();
    // A reset at the end does not affect the bytes that were read before.
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

#[test]
fn clients_that_never_finish_their_request_block_no_other_client() {
    // With these timeouts the slow clients keep their connections for the whole test, unless the host evicts some
    // of them.
    let policy = SMALL_LIMITS.replace("\"500ms\"", "\"1h\"");
    let saboteur = Saboteur::start_with(&policy, &[]);
    let mut slow: Vec<TcpStream> = (0..64).map(|_| saboteur.connect()).collect();
    for stream in &mut slow {
        // An evicted connection cannot be written to.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: ");
    }
    for _ in 0..8 {
        let client = Client::new(saboteur.url(), Protocol::Http1);
        let started = Instant::now();
        client.request(Method::GET, "/greet/me").send().is(200);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{:?}",
            started.elapsed()
        );
    }
    drop(slow);
}

/// They would keep their connections for `write_pause`, again and again.
#[test]
fn clients_that_read_no_short_answer_make_room_for_others() {
    let policy = SMALL_LIMITS.replace("\"500ms\"", "\"1h\"");
    let saboteur = Saboteur::start_with(&policy, &[]);
    let request = "GET /static HTTP/1.1\r\nHost: x\r\n\r\n";
    let unread = UnreadClients::open(16, || saboteur.connect(), request);
    for _ in 0..8 {
        let client = Client::new(saboteur.url(), Protocol::Http1);
        client.request(Method::GET, "/greet/me").send().is(200);
    }
    drop(unread);
}

#[test]
fn clients_that_read_no_stream_make_room_for_others() {
    let policy = SMALL_LIMITS.replace("\"500ms\"", "\"1h\"");
    let saboteur = Saboteur::start_with(&policy, &[]);
    let unread: Vec<_> = (0..16)
        .map(|_| {
            let mut client = UnreadHttp2Connection::open(&saboteur);
            client.get(1, "/static");
            client.read_until(HEADERS, 1);
            client
        })
        .collect();
    thread::sleep(Duration::from_millis(1500));
    for _ in 0..8 {
        let client = Client::new(saboteur.url(), Protocol::Http1);
        client.request(Method::GET, "/greet/me").send().is(200);
    }
    drop(unread);
}

#[test]
fn a_request_that_is_never_finished_times_out() {
    let saboteur = start_with_small_limits();
    let mut stream = saboteur.connect();
    let started = Instant::now();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")
        .expect("half a head");
    let response = read_to_end(stream);
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert!(started.elapsed() >= Duration::from_millis(500));
}

#[test]
fn a_body_that_stalls_or_drips_times_out_and_occupies_no_instance() {
    let saboteur = start_with_small_limits();
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n";
    let mut stalls = saboteur.connect();
    stalls.write_all(head.as_bytes()).expect("a head");
    let response = read_to_end(stalls);
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert!(response.contains("request-timeout"), "{response}");

    let mut drips = saboteur.connect();
    drips.write_all(head.as_bytes()).expect("a head");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) && drips.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
    let response = read_to_end(drips);
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert_eq!(
        saboteur.call("/count").text(),
        "1",
        "an instance has item those requests"
    );
}

#[test]
fn excess_connections_are_refused_while_health_stays_readable() {
    let saboteur = Saboteur::start_with(&format!("{SMALL_LIMITS}{}", call_deadline("20s")), &[]);
    thread::scope(|scope| {
        let busy: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    Client::new(saboteur.url(), Protocol::Http1)
                        .request(Method::GET, "/sleep?ms=12000")
                        .send()
                })
            })
            .collect();
        eventually(
            || saboteur.log().matches("sleeping 12000 ms").count(),
            |count| *count == 16,
        );
        let started = Instant::now();
        let client = Client::new(saboteur.url(), Protocol::Http1);
        let refused = client.request(Method::GET, "/greet/me").send();
        refused.problem(503, "overloaded");
        assert_eq!(refused.header("retry-after"), "1");
        client.request(Method::GET, "/livez").send().is(200);
        client.request(Method::GET, "/readyz").send().is(200);
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "{:?}",
            started.elapsed()
        );
        for busy in busy {
            busy.join().expect("a response").is(200);
        }
    });
    eventually(
        || saboteur.call("/greet/me").status,
        |status| *status == 200,
    );
}

#[test]
fn too_many_headers_are_refused_with_431() {
    let saboteur = start_with_small_limits();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let large = Client::new(saboteur.url(), protocol)
            .request(Method::GET, "/greet/me")
            .header("x-large", &"x".repeat(16 << 10));
        assert_eq!(
            large.try_send().map(|response| response.status),
            Ok(431),
            "{protocol:?}"
        );
    }
    let with_fields = |protocol, count| {
        let mut many = Client::new(saboteur.url(), protocol).request(Method::GET, "/greet/me");
        for number in 0..count {
            many = many.header(&format!("x-{number}"), "x");
        }
        many.send().status
    };
    // The client adds some of its own.
    for protocol in [Protocol::Http1, Protocol::Http2] {
        assert_eq!(with_fields(protocol, 8), 200, "{protocol:?}");
        assert_eq!(with_fields(protocol, 17), 431, "{protocol:?}");
    }
}

#[test]
fn a_client_that_reads_no_response_is_disconnected() {
    let saboteur = start_with_small_limits();
    let mut stream = saboteur.connect();
    // More than the buffers of both sockets hold.
    let request = "GET /flood?kib=24000 HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    let mut first = [0; 12];
    stream.read_exact(&mut first).expect("the response begins");
    // The deadline of the component would end the call only later.
    thread::sleep(Duration::from_millis(1200));
    let response = read_to_end(stream);
    assert!(
        response.len() < 24_000 << 10,
        "{} bytes came",
        response.len()
    );
}

#[test]
fn a_client_that_reads_too_slowly_is_disconnected() {
    let policy = SMALL_LIMITS.replace("write_pause = \"500ms\"", "write_pause = \"1h\"");
    let policy = format!("{policy}answer_time = \"1s\"\n");
    let saboteur = Saboteur::start_with(&policy, &[]);
    let mut stream = saboteur.connect();
    let request = "GET /flood?kib=24000 HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    let (started, mut taken) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_millis(2500) {
        let mut some = [0; 64 << 10];
        taken += stream.read(&mut some).unwrap_or_default();
        thread::sleep(Duration::from_millis(50));
    }
    taken += read_to_end(stream).len();
    assert!(taken < 24_000 << 10, "{taken} bytes came");
}

#[test]
fn an_unread_http2_stream_is_reset_and_its_connection_is_kept() {
    let saboteur = start_with_small_limits();
    let mut client = UnreadHttp2Connection::open(&saboteur);
    client.set_timeout(Duration::from_secs(10));
    client.get(1, "/flood?kib=64");
    client.read_until(HEADERS, 1);
    client.read_until(RST_STREAM, 1);
    client.get(3, "/greet/me");
    client.read_until(HEADERS, 3);
}

#[test]
fn a_client_that_reads_no_response_holds_no_permit() {
    let policy = SMALL_LIMITS.replace("write_pause = \"500ms\"", "write_pause = \"1h\"");
    let policy = format!("adaptive = false\nconcurrency = 1\nqueue = 0\n{policy}");
    let saboteur = Saboteur::start_with(&policy, &[]);
    let mut client = UnreadHttp2Connection::open(&saboteur);
    client.get(1, "/flood?kib=64");
    client.read_until(HEADERS, 1);
    saboteur.call("/greet/me").problem(503, "overloaded");
    eventually(
        || saboteur.call("/greet/me").status,
        |status| *status == 200,
    );
}

#[test]
fn a_connection_that_resets_more_requests_than_allowed_is_ended() {
    const ENHANCE_YOUR_CALM: u8 = 11;
    let odd = || (1..=121).step_by(2);
    let strict = Saboteur::start_with(SMALL_LIMITS, &[]);
    let mut client = UnreadHttp2Connection::open(&strict);
    client.set_timeout(Duration::from_secs(10));
    client.get_and_reset(odd(), "/static");
    let goaway = client.read_until(GOAWAY, 0);
    assert_eq!(goaway.get(7), Some(&ENHANCE_YOUR_CALM), "{goaway:?}");

    let lenient = Saboteur::start_with(&format!("{SMALL_LIMITS}resets = 1000\n"), &[]);
    let mut client = UnreadHttp2Connection::open(&lenient);
    client.set_timeout(Duration::from_secs(10));
    client.get_and_reset(odd(), "/static");
    client.get(123, "/static");
    client.read_until(HEADERS, 123);
}

#[test]
fn a_request_for_the_server_as_a_whole_is_answered_over_http2() {
    /// The index of `:status 204` in the static table.
    const NO_CONTENT: u8 = 0x89;
    let mut client = UnreadHttp2Connection::open(Saboteur::shared());
    client.set_timeout(Duration::from_secs(10));
    client.options(1, "*");
    let head = client.read_until(HEADERS, 1);
    assert_eq!(head.first(), Some(&NO_CONTENT), "{head:?}");
}

#[test]
fn an_idle_connection_is_closed() {
    let saboteur = start_with_small_limits();
    let mut stream = saboteur.connect();
    let started = Instant::now();
    stream
        .write_all(b"GET /static HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("a request");
    let response = read_to_end(stream);
    assert!(response.ends_with("static"), "{response}");
    assert!(
        started.elapsed() >= Duration::from_millis(1400),
        "{:?}",
        started.elapsed()
    );
}
