//! Does a component reach only its own streams and keys through `spin:redis`, on the server that holds the data of all
//! components?

use harness::{RedisServer, eventually};

use crate::saboteur::{Saboteur, manifest_with};

/// A command of the saboteur's guest, with these arguments.
fn command(address: &str, line: &str) -> String {
    let mut words = line.split(' ');
    let command = words.next().unwrap_or_default();
    let arguments: String = words.map(|word| format!("&argument={word}")).collect();
    format!("/redis?address={address}&command={command}{arguments}")
}

/// Checks that the commands are refused with an error that names a key and a policy.
#[track_caller]
fn assert_refused(saboteur: &Saboteur, address: &str, lines: &[&str]) {
    for line in lines {
        let refused = saboteur.call(&command(address, line)).is(500).text();
        let is_named = line.split(' ').any(|word| refused.contains(word));
        assert!(
            is_named && refused.contains("granted") || refused.contains("not served"),
            "{line}: {refused}"
        );
    }
}

/// What no component may do.
const FOREIGN: [&str; 14] = [
    "XADD socar.neighbour * event forged",
    "XADD socar.dead * event forged",
    "XADD socar.platform * event forged",
    "XRANGE socar.neighbour - +",
    "PUBLISH socar.neighbour wake",
    "GET neighbour:secret",
    "SET neighbour:secret forged",
    "DEL neighbour:secret",
    // Its own store has an interface of its own.
    "GET saboteur:mine",
    "SET socar.log:history forged",
    "KEYS *",
    "EVAL return 0",
    "FLUSHALL",
    "MULTI",
];

const APPLICATION: &str = "redis://127.0.0.1:6379";

#[test]
fn an_embedded_component_reaches_only_what_is_its_own() {
    let saboteur = Saboteur::start(&[]);
    assert_refused(&saboteur, APPLICATION, &FOREIGN);
    saboteur
        .call(&command(APPLICATION, "XADD socar.saboteur * event mine"))
        .is(200);
    saboteur
        .call(&command(APPLICATION, "PUBLISH socar.saboteur wake"))
        .is(200);
    eventually(
        || saboteur.log(),
        |log| log.contains("redis command refused") && log.contains("socar.neighbour"),
    );
}

#[test]
fn a_component_on_redis_reaches_only_what_is_its_own_under_any_address() {
    let redis = RedisServer::start();
    let named = redis.url().replace("127.0.0.1", "localhost");
    let outside = format!("outside_url={named}");
    let saboteur = Saboteur::start(&["--redis-url", &redis.url(), "--variable", &outside]);
    let neighbour = "http://neighbour.spin.internal/kv/set?store=neighbour";
    let secret = format!("/chain?url={neighbour}%26key=secret%26value=kept");
    saboteur.call(&secret).is(200);
    for address in [APPLICATION, &named, &format!("{named}/7")] {
        assert_refused(&saboteur, address, &FOREIGN);
    }
    saboteur
        .call(&command(APPLICATION, "XADD socar.saboteur * event mine"))
        .is(200);
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let mut ask = |command: &str, key: &str| -> redis::Value {
        redis::cmd(command)
            .arg(key)
            .query(&mut connection)
            .expect("a reply")
    };
    assert_eq!(ask("EXISTS", "socar.neighbour"), redis::Value::Int(0));
    assert_eq!(ask("EXISTS", "socar.dead"), redis::Value::Int(0));
    assert_eq!(ask("EXISTS", "neighbour:secret"), redis::Value::Int(1));
}

#[test]
fn another_server_is_plain_redis() {
    let (platform, other) = (RedisServer::start(), RedisServer::start());
    let outside = format!("outside_url={}", other.url());
    let saboteur = Saboteur::start(&["--redis-url", &platform.url(), "--variable", &outside]);
    for line in [
        "SET neighbour:secret x",
        "XADD socar.neighbour * event x",
        "KEYS *",
        "MULTI",
    ] {
        saboteur.call(&command(&other.url(), line)).is(200);
    }
}

#[test]
fn a_policy_grants_streams_and_keys() {
    let grants = "\n[component.saboteur.tool.socar]\npublishes = [\"orders\"]\nredis_keys = [\"counters:\"]\n";
    let saboteur = Saboteur::start_with("", &[]);
    saboteur.deploy(&(manifest_with("") + grants));
    for line in [
        "XADD orders * event x",
        "INCR counters:cars",
        "DEL counters:cars",
    ] {
        saboteur.call(&command(APPLICATION, line)).is(200);
    }
    let refused = [
        "XADD socar.saboteur * event x",
        "INCR counter",
        "GET neighbour:secret",
    ];
    assert_refused(&saboteur, APPLICATION, &refused);
}

#[test]
fn the_open_connections_of_an_instance_are_bounded() {
    let redis = RedisServer::start();
    let outside = format!("outside_url={}", redis.url());
    let saboteur = Saboteur::start(&["--variable", &outside]);
    let open = format!("/redis-connections?address={}&count=80", redis.url());
    // All are opened at the same time.
    let opened = saboteur.call(&open).is(200).text();
    assert_eq!(opened, "64 opened, then Error::TooManyConnections");
}
