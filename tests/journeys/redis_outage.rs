//! Does the platform survive the loss of its Redis? During the outage every response comes in time and is correct;
//! afterwards nothing is lost, and the platform recovers by itself.

use std::sync::Arc;
use std::time::Instant;

use harness::{Car, Mode, Platform, RedisServer, RequestBuilder, Setup, eventually};
use serde_json::json;

use crate::invariants;
use crate::load::{self, CustomerLoad};

#[test]
fn every_invariant_holds_after_kills_of_the_redis_under_load() {
    let redis = Arc::new(RedisServer::start_durable());
    let platform = Setup::new(Mode::Redis).on(&redis).start();
    let cars = load::register_cars(&platform);
    let load = CustomerLoad::default();
    let unanswered = load.run_while(&platform, &cars, || {
        for _ in 0..load::kill_count() {
            load.wait_for_responses(fastrand::usize(3..60));
            redis.kill();
            load.wait_for_responses(fastrand::usize(1..20));
            redis.restart();
            // The host reconnects by itself.
            load.wait_for_success();
        }
    });
    assert_eq!(unanswered, [""; 0], "every request gets a response");
    wait_until_serving(&platform);
    let made = invariants::assert_hold(&platform, &cars);
    assert!(
        made >= load::kill_count(),
        "{made} reservations are too few to load the platform"
    );
    load.assert_acknowledged(&platform);
}

#[test]
fn every_invariant_holds_after_kills_of_host_and_redis() {
    let redis = Arc::new(RedisServer::start_durable());
    let mut platform = Setup::new(Mode::Redis).on(&redis).start();
    let cars = load::register_cars(&platform);
    let load = CustomerLoad::default();
    for round in 0..load::kill_count().div_ceil(2) {
        load.run_while(&platform, &cars, || {
            load.wait_for_responses(fastrand::usize(3..60));
            redis.kill();
            platform.kill();
        });
        // The two restart in either order.
        platform = match round % 2 {
            0 => {
                let platform = platform.restart();
                redis.restart();
                platform
            }
            _ => {
                redis.restart();
                platform.restart()
            }
        };
        wait_until_serving(&platform);
    }
    invariants::assert_hold(&platform, &cars);
    load.assert_acknowledged(&platform);
}

#[test]
fn a_platform_without_its_redis_refuses_commands_and_shows_the_view() {
    let redis = Arc::new(RedisServer::start_durable());
    let platform = Setup::new(Mode::Redis).on(&redis).start();
    let (taken, free) = (
        platform.register_car("taken"),
        platform.register_car("free"),
    );
    let reservation = platform.reserve_and_confirm(&taken);
    let row = json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"});
    platform.wait_for_view(&taken, &row);
    platform.wait_for_view(&free, &json!({"carStatus": "available"}));

    redis.kill();
    for _ in 0..3 {
        let cancellation = json!({"status": "reqCancel"});
        let commands = [
            platform.post("/cars").json(&json!({"carName": "late"})),
            platform.patch(&free.path).json(&json!({"amount": 1})),
            platform.delete(&free.path),
            reserve(&platform, &free),
            reserve(&platform, &free).header("idempotency-key", "\"retried\""),
            platform.patch(&reservation.path).json(&cancellation),
            platform.delete(&reservation.path),
        ];
        for command in commands {
            command.send().assert_retry_later();
        }
        for path in [
            "/cars",
            &taken.path,
            "/reservations",
            "/payments/1",
            "/messages",
        ] {
            platform.get(path).send().assert_retry_later();
        }
        // The view and the screen need no Redis: the host has its own copy.
        platform.wait_for_view(&taken, &row);
        let list = platform.get_json("/carviews?carStatus=available");
        assert_eq!(list["page"]["totalElements"], 1, "{list:#}");
        platform.get("/").send().is(200);
        platform.get("/livez").send().is(200);
    }
    eventually(
        || platform.get("/readyz").send(),
        |response| response.status == 503,
    );

    redis.restart();
    wait_until_serving(&platform);
    eventually(
        || platform.get("/readyz").send(),
        |response| response.status == 200,
    );
    // A refused command has had no effect, and every later one works.
    platform.wait_for_car_status(&free, "available");
    assert_eq!(platform.get_json(&taken.path)["status"], "reserved");
    assert_eq!(platform.list("/cars", |_| true).len(), 2);
    platform.cancel_and_wait(&reservation, &taken);
    let retried = || reserve(&platform, &free).header("idempotency-key", "\"retried\"");
    eventually(|| retried().send(), |response| response.status == 201);
    platform.wait_for_car_status(&free, "reserved");
    invariants::assert_hold(&platform, &[taken, free]);
}

/// A suspended Redis keeps its connections, so only a timeout reveals the outage.
#[test]
fn a_redis_that_hangs_delays_no_response_beyond_its_deadline() {
    let redis = Arc::new(RedisServer::start_durable());
    let platform = Setup::new(Mode::Redis).on(&redis).start();
    let car = platform.register_car("suspended");
    platform.wait_for_view(&car, &json!({"carStatus": "available"}));
    redis.suspend();
    for _ in 0..2 {
        for command in [
            reserve(&platform, &car),
            platform.patch(&car.path).json(&json!({"amount": 1})),
            platform.get(&car.path),
        ] {
            let started = Instant::now();
            let response = command.send();
            // A call with several waits may reach its deadline first.
            if response.status != 504 {
                response.assert_retry_later();
            }
            assert!(started.elapsed() < load::MAX_RESPONSE_TIME, "{response}");
        }
        platform.wait_for_view(&car, &json!({"carStatus": "available"}));
        platform.get("/livez").send().is(200);
    }
    redis.resume();
    wait_until_serving(&platform);
    // An abandoned call may have been executed, wholly or not at all.
    invariants::assert_hold(&platform, std::slice::from_ref(&car));
    platform.drain_events();
}

/// An operator may lower the number of clients of a running server, or change its password.
#[test]
fn a_redis_that_shuts_the_platform_out_loses_no_event() {
    let redis = Arc::new(RedisServer::start_durable());
    let platform = Setup::new(Mode::Redis).on(&redis).start();
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut operator = client.get_connection().expect("a connection");
    let mut order = |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        let done = command
            .arg(&words[1..])
            .query::<redis::Value>(&mut operator);
        done.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    };
    let mut cars = Vec::new();
    for (setting, harm, remedy, cause) in [
        ("maxclients", "1", "10000", "unavailable"),
        ("requirepass", "changed", "", "auth"),
    ] {
        let (taken, free) = (
            platform.register_car(setting),
            platform.register_car("free"),
        );
        let reservation = platform.reserve(&taken);
        order(&["CONFIG", "SET", setting, harm]);
        order(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        reserve(&platform, &free).send().assert_retry_later();
        let readiness = || platform.get("/readyz?verbose").send();
        let refused = eventually(readiness, |response| response.status == 503);
        let causes = refused.text();
        assert!(causes.to_lowercase().contains(cause), "{causes}");
        order(&["CONFIG", "SET", setting, remedy]);
        eventually(readiness, |response| response.status == 200);
        platform.wait_for_status(&reservation, "reserved");
        let retried = || reserve(&platform, &free).send();
        eventually(retried, |response| response.status == 201);
        cars.extend([taken, free]);
    }
    invariants::assert_hold(&platform, &cars);
    assert_eq!(platform.admin().json("/dead-letters")["letters"], json!([]));
}

fn reserve(platform: &Platform, car: &Car) -> RequestBuilder {
    platform
        .post("/reservations")
        .json(&json!({"carId": car.id}))
}

/// After the outage, breakers need a moment to close.
fn wait_until_serving(platform: &Platform) {
    for list in [
        "/cars",
        "/reservations",
        "/payments",
        "/messages",
        "/carviews",
    ] {
        eventually(
            || platform.get(list).send(),
            |response| response.status == 200,
        );
    }
}
