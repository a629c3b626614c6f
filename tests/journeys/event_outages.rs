//! Is an outage waited for on the path of events? A dead letter means that an event cannot be handled, not that a store
//! or a component was away.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Mode, Process, RedisServer, Setup, confirmation_text, eventually, socar};
use parking_lot::Mutex;
use serde_json::json;
use tempfile::TempDir;

/// One failure that counts would make a dead letter.
fn one_attempt(text: &str) -> String {
    let table = "[application.tool.socar]\n";
    text.replace(table, &format!("{table}delivery_attempts = 1\n"))
}

#[test]
fn an_event_waits_for_the_store_of_its_component() {
    let store = RedisServer::start();
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("runtime-config.toml");
    let config = format!(
        "[key_value_store.message]\ntype = \"redis\"\nurl = \"{}\"\n",
        store.url()
    );
    std::fs::write(&file, config).expect("a file");
    let platform = Setup::new(Mode::Embedded)
        .argument("--runtime-config-file")
        .argument(&file.display().to_string())
        .manifest(one_attempt)
        .start();
    store.kill();
    let car = platform.register_car("patient");
    let reservation = platform.reserve(&car);
    platform.wait_for_status(&reservation, "reserved");
    eventually(
        || platform.output(),
        |output| output.contains("events wait") || output.contains("parked"),
    );
    store.restart();
    // A request meets the failed attempt to connect that was made a moment ago.
    eventually(
        || platform.get("/messages").send().status,
        |status| *status == 200,
    );
    platform.wait_for_messages(&reservation, &[confirmation_text(&car)]);
    let letters = &platform.admin().json("/dead-letters")["letters"];
    assert_eq!(letters, &json!([]));
}

/// With the attempts that the application is shipped with.
fn assert_waits_for_a_component_that(fault: &serde_json::Value) {
    let platform = Setup::new(Mode::Embedded).argument("--chaos").start();
    let car = platform.register_car("patient");
    let mut fault = fault.clone();
    fault["from"] = json!("events");
    fault["to"] = json!("message");
    fault["seconds"] = json!(60);
    platform.admin().inject_fault(&fault);
    let since = Instant::now();
    let reservation = platform.reserve(&car);
    platform.wait_for_status(&reservation, "reserved");
    while since.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_secs(1));
        let letters = &platform.admin().json("/dead-letters")["letters"];
        assert_eq!(letters, &json!([]), "after {:?}", since.elapsed());
    }
    let all = || platform.get("/messages").send().json()["page"]["totalElements"].clone();
    let deadline = Instant::now() + Duration::from_secs(60);
    while all() == json!(0) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(200));
    }
    platform.wait_for_messages(&reservation, &[confirmation_text(&car)]);
}

/// Through the contexts themselves: the host recognises how they refuse an event.
#[test]
fn a_malformed_event_is_parked_at_once() {
    let platform = Setup::new(Mode::Redis).start();
    let client = redis::Client::open(platform.redis_url().expect("a Redis")).expect("a URL");
    let mut connection = client.get_connection().expect("a Redis");
    let event = json!({"specversion": "1.0", "id": "1", "type": "ReservationConfirmed", "subject": "reservation/1"});
    let mut append = redis::cmd("XADD");
    append
        .arg("socar.reservation")
        .arg("*")
        .arg("event")
        .arg(event.to_string());
    append.query::<String>(&mut connection).expect("an id");
    let letters = || platform.admin().json("/dead-letters")["letters"].clone();
    let letters = eventually(letters, |letters| {
        letters.as_array().is_some_and(|letters| letters.len() >= 2)
    });
    for letter in letters.as_array().expect("a list") {
        assert_eq!(letter["attempts"], 1, "{letter:#}");
    }
}

#[test]
fn an_event_waits_for_a_component_that_traps_for_a_minute() {
    assert_waits_for_a_component_that(&json!({"fault": "trap"}));
}

#[test]
fn an_event_waits_for_a_component_that_hangs_for_a_minute() {
    assert_waits_for_a_component_that(&json!({"fault": "spin"}));
}

#[test]
fn the_relay_waits_for_as_long_as_a_component_asks() {
    let component = FakeComponent::start(&["503 Service Unavailable\r\nretry-after: 2"]);
    let redis = RedisServer::start();
    let folder = TempDir::new().expect("a folder");
    let _relay = relay(&redis, &component.url(), &folder);
    append_an_event(&redis);
    let refused = eventually(|| component.refused(), |refused| refused.len() >= 2);
    let waited = refused[1] - refused[0];
    assert!(waited >= RETRY_AFTER, "{waited:?}");
    component.recover();
    eventually(|| component.accepted(), |accepted| *accepted >= 1);
    assert_eq!(dead_letters(&redis), 0);
}

#[test]
fn the_relay_waits_while_a_proxy_answers_for_the_component() {
    let component = FakeComponent::start(&[
        "500 Internal Server Error\r\ncontent-type: text/html",
        "200 OK\r\ncontent-type: text/html",
        "413 Content Too Large\r\ncontent-type: application/problem+json",
        "302 Found\r\nlocation: /maintenance",
    ]);
    let redis = RedisServer::start();
    let folder = TempDir::new().expect("a folder");
    let _relay = relay(&redis, &component.url(), &folder);
    append_an_event(&redis);
    eventually(|| component.refused(), |refused| refused.len() >= 4);
    assert_eq!(component.accepted(), 0);
    component.recover();
    eventually(|| component.accepted(), |accepted| *accepted >= 1);
    assert_eq!(dead_letters(&redis), 0);
}

fn append_an_event(redis: &RedisServer) {
    let event = json!({"id": "1", "type": "ReservationConfirmed", "subject": "reservation/1"});
    let mut append = redis::cmd("XADD");
    append
        .arg("socar.reservation")
        .arg("*")
        .arg("event")
        .arg(event.to_string());
    let mut connection = connect(redis);
    append.query::<String>(&mut connection).expect("an id");
}

fn dead_letters(redis: &RedisServer) -> usize {
    let mut length = redis::cmd("XLEN");
    let length = length.arg("socar.dead").query(&mut connect(redis));
    length.expect("a length")
}

fn connect(redis: &RedisServer) -> redis::Connection {
    let client = redis::Client::open(redis.url()).expect("a URL");
    client.get_connection().expect("a Redis")
}

/// A relay for a manifest with one attempt and one component.
fn relay(redis: &RedisServer, to: &str, folder: &TempDir) -> Process {
    let manifest = folder.path().join("spin.toml");
    std::fs::write(&manifest, one_attempt(&harness::read("spin.toml"))).expect("a file");
    let mut command = socar();
    command.arg("relay").arg("-f").arg(&manifest);
    command.args([
        "--secret",
        "secret",
        "--redis-url",
        &redis.url(),
        "--to",
        to,
    ]);
    let process = Process::start("relay", command, folder.path());
    let started = process.wait_for(Duration::from_secs(60), |line| {
        line.starts_with("Relaying").then_some(())
    });
    started.unwrap_or_else(|reason| panic!("{reason}"));
    process
}

/// What a component that is away asks its clients to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A component over HTTP that is away at first.
struct FakeComponent {
    listener: Arc<TcpListener>,
    state: Arc<FakeState>,
}

#[derive(Default)]
struct FakeState {
    /// How the requests are answered while the component is away, one after the other.
    heads: &'static [&'static str],
    is_well: AtomicBool,
    /// The times of the refused requests for messages; those for other components are answered and not counted.
    refused: Mutex<Vec<Instant>>,
    accepted: AtomicUsize,
}

impl FakeComponent {
    fn start(heads: &'static [&'static str]) -> Self {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").expect("a port"));
        let state = Arc::new(FakeState {
            heads,
            ..FakeState::default()
        });
        let (accepting, shared) = (listener.clone(), state.clone());
        thread::spawn(move || {
            for stream in accepting.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || answer(stream, &state));
            }
        });
        Self { listener, state }
    }

    fn url(&self) -> String {
        let address = self.listener.local_addr().expect("an address");
        format!("http://{address}")
    }

    fn recover(&self) {
        self.state.is_well.store(true, Ordering::SeqCst);
    }

    fn refused(&self) -> Vec<Instant> {
        self.state.refused.lock().clone()
    }

    fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

/// Answers one request.
fn answer(stream: TcpStream, state: &FakeState) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let _ = reader.read_line(&mut line);
    let is_counted = line.starts_with("POST /messages/events ");
    let mut length = 0;
    loop {
        line.clear();
        let read = reader.read_line(&mut line).unwrap_or(0);
        let header = line.trim().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if read == 0 || header.is_empty() {
            break;
        }
    }
    let _ = reader.read_exact(&mut vec![0; length]);
    let is_well = state.is_well.load(Ordering::SeqCst);
    let mut refused = state.refused.lock();
    let head = match is_well {
        true => "204 No Content\r\nsocar-delivery: handled",
        false => state.heads[refused.len() % state.heads.len()],
    };
    match is_well {
        _ if !is_counted => {}
        true => {
            state.accepted.fetch_add(1, Ordering::SeqCst);
        }
        false => refused.push(Instant::now()),
    }
    drop(refused);
    let mut stream = reader.into_inner();
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
}

#[test]
fn a_redis_that_allows_no_channel_confirms_reservations() {
    let redis = Arc::new(RedisServer::start());
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("a Redis");
    // As every new user of Redis 7.
    let mut deny = redis::cmd("ACL");
    deny.arg("SETUSER").arg("default").arg("resetchannels");
    deny.query::<String>(&mut connection).expect("done");
    let platform = Setup::new(Mode::Redis).on(&redis).start();
    let car = platform.register_car("without channels");
    let reservation = platform.reserve_and_confirm(&car);
    platform.wait_for_messages(&reservation, &[confirmation_text(&car)]);
}
