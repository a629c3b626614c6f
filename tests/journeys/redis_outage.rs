//! The Redis of a platform dies, again and again, and comes back. Meanwhile nobody is kept waiting or told nonsense; and
//! afterwards nothing is lost and nobody had to be told that it is back.

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
            // The host finds it again by itself.
            load.wait_for_success();
        }
    });
    assert_eq!(unanswered, [""; 0], "the host answers every request");
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
        // In whatever order they come back.
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
        let give_up = json!({"status": "reqCancel"});
        let commands = [
            platform.post("/cars").json(&json!({"carName": "late"})),
            platform.patch(&free.path).json(&json!({"amount": 1})),
            platform.delete(&free.path),
            reserve(&platform, &free),
            reserve(&platform, &free).header("idempotency-key", "\"patient\""),
            platform.patch(&reservation.path).json(&give_up),
            platform.delete(&reservation.path),
        ];
        for command in commands {
            load::assert_unavailable(&command.send());
        }
        for path in [
            "/cars",
            &taken.path,
            "/reservations",
            "/payments/1",
            "/messages",
        ] {
            load::assert_unavailable(&platform.get(path).send());
        }
        // The view is this host's own, and so is the screen.
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
    // What was refused did not happen, and all goes on as before.
    platform.wait_for_car_status(&free, "available");
    assert_eq!(platform.get_json(&taken.path)["status"], "reserved");
    assert_eq!(platform.list("/cars", |_| true).len(), 2);
    platform.cancel_and_wait(&reservation, &taken);
    let patient = || reserve(&platform, &free).header("idempotency-key", "\"patient\"");
    eventually(|| patient().send(), |response| response.status == 201);
    platform.wait_for_car_status(&free, "reserved");
    invariants::assert_hold(&platform, &[taken, free]);
}

/// What hangs is worse than what is gone: nobody learns it but by waiting.
#[test]
fn a_redis_that_hangs_delays_no_response_beyond_its_deadline() {
    let redis = Arc::new(RedisServer::start_durable());
    let platform = Setup::new(Mode::Redis).on(&redis).start();
    let car = platform.register_car("waited for");
    platform.wait_for_view(&car, &json!({"carStatus": "available"}));
    redis.suspend();
    for _ in 0..2 {
        for command in [
            reserve(&platform, &car),
            platform.patch(&car.path).json(&json!({"amount": 1})),
            platform.get(&car.path),
        ] {
            let asked = Instant::now();
            let response = command.send();
            // The deadline ends what waited for one answer too many.
            if response.status != 504 {
                load::assert_unavailable(&response);
            }
            assert!(asked.elapsed() < load::MAX_RESPONSE_TIME, "{response}");
        }
        platform.wait_for_view(&car, &json!({"carStatus": "available"}));
        platform.get("/livez").send().is(200);
    }
    redis.resume();
    wait_until_serving(&platform);
    // What nobody waited for any more may be done now, wholly or not at all.
    invariants::assert_hold(&platform, std::slice::from_ref(&car));
    platform.drain_events();
}

fn reserve(platform: &Platform, car: &Car) -> RequestBuilder {
    platform
        .post("/reservations")
        .json(&json!({"carId": car.id}))
}

/// Breakers need a moment to find out that the trouble is over.
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
