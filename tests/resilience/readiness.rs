//! Do the probes report what they should? Liveness is about the process, readiness about the platform, and a
//! failing component affects neither. Checkpoint readiness.

use std::thread;

use harness::{RedisServer, eventually};

use crate::saboteur::Saboteur;

#[test]
fn a_failing_component_fails_no_probe() {
    let saboteur = Saboteur::start(&[]);
    thread::scope(|scope| {
        let failing: Vec<_> = ["/trap", "/spin", "/sleep?ms=60000", "/hoard?mib=512"]
            .iter()
            .map(|path| scope.spawn(|| saboteur.call(path)))
            .collect();
        for _ in 0..10 {
            saboteur.call("/livez").is(200);
            saboteur.call("/readyz").is(200);
        }
        for failing in failing {
            assert!(failing.join().expect("a response").status >= 500);
        }
    });
}

#[test]
fn a_platform_without_its_stores_is_live_and_not_ready() {
    let redis = RedisServer::start();
    let saboteur = Saboteur::start(&["--redis-url", &redis.url()]);
    saboteur.call("/readyz").is(200);
    drop(redis);
    let ready = eventually(|| saboteur.call("/readyz").status, |status| *status == 503);
    assert_eq!(ready, 503);
    saboteur.call("/livez").is(200);
    assert_eq!(
        saboteur.call("/actuator/health/liveness").json()["status"],
        "UP"
    );
}
