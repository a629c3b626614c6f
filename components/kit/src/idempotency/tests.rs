use super::*;
use crate::{
    http::{Problem, Request, Response},
    memory::MemoryPlatform,
    platform::Platform as _,
    store::Store as _,
};
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderValue, StatusCode};
use std::time::Duration;

fn key(name: &str, body: &'static str) -> IdempotencyKey {
    let mut request = Request::new(Bytes::from_static(body.as_bytes()));
    let name = name.parse().unwrap();
    request.headers_mut().insert("idempotency-key", name);
    IdempotencyKey::from_request(&request).unwrap().unwrap()
}

fn acquire(platform: &MemoryPlatform, key: IdempotencyKey) -> Result<Acquisition, Problem> {
    let number = async || Ok(platform.next_number());
    block_on(key.acquire(platform, number))
}

fn first(platform: &MemoryPlatform, key: IdempotencyKey) -> Lease {
    match acquire(platform, key) {
        Ok(Acquisition::First(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

fn response(status: u16) -> Response {
    let mut response = Response::new(Bytes::from_static(b"{}"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
        .headers_mut()
        .insert("location", HeaderValue::from_static("/1"));
    response
}

#[test]
fn a_repeated_request_receives_the_first_response() {
    let platform = MemoryPlatform::new();
    let lease = first(&platform, key("\"k\"", r#"{"carId": 1}"#));
    block_on(lease.complete(&platform, &response(201))).unwrap();
    let Ok(Acquisition::Replay(replayed)) = acquire(&platform, key("k", r#"{"carId":1}"#)) else {
        panic!("not replayed");
    };
    assert_eq!(
        (replayed.status().as_u16(), &replayed.headers()["location"]),
        (201, &HeaderValue::from_static("/1"))
    );
}

#[test]
fn a_request_has_one_printable_key_of_bounded_length() {
    let read = |values: &[&str]| {
        let mut request = Request::new(Bytes::new());
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request.headers_mut().append("idempotency-key", value);
        }
        IdempotencyKey::from_request(&request)
    };
    let longest = "x".repeat(255);
    assert_eq!(read(&[]).map(|key| key.is_some()).ok(), Some(false));
    for values in [
        &["a"][..],
        &["\"a\""],
        &[" \"a b\" "],
        &["\"a,\\\"b\\\\\""],
        &[&longest],
    ] {
        assert!(read(values).is_ok_and(|key| key.is_some()), "{values:?}");
    }
    let too_long = "x".repeat(256);
    for values in [
        &[""][..],
        &["\"\""],
        &["가"],
        &[&too_long],
        &["a", "b"],
        // A proxy may join two lines to one.
        &["a,b"],
        &["\"a\", \"b\""],
        &["\"a\",\"b\""],
        &["\"a\" b"],
        &["\"a"],
        &["a\""],
        &["\"a\\\""],
        &["\"a\\b\""],
        &["\"a\tb\""],
    ] {
        let problem = read(values).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{values:?}");
    }
}

#[test]
fn another_body_with_the_same_key_is_refused() {
    let platform = MemoryPlatform::new();
    first(&platform, key("k", "{}"));
    let problem = acquire(&platform, key("k", "[]")).unwrap_err();
    let response = problem.into_response("/things");
    assert_eq!(response.status(), 422);
    let document: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(document["field"], "Idempotency-Key");
}

#[test]
fn a_repeated_request_conflicts_with_a_running_one_until_its_lease_expires() {
    let platform = MemoryPlatform::new();
    let lease = first(&platform, key("k", "{}"));
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
    assert_eq!(resumed(&platform).number, lease.number);
}

/// Repeats the request until it takes the lease over.
fn resumed(platform: &MemoryPlatform) -> Lease {
    for _ in 0..12 {
        match acquire(platform, key("k", "{}")) {
            Ok(Acquisition::Resume(lease)) => return lease,
            Err(problem) if problem.status == 409 => platform.advance(Duration::from_secs(1)),
            other => panic!("{other:?}"),
        }
    }
    panic!("the lease was not taken over");
}

/// A server error may mean that the outcome of the work is unknown, so the next request has to find it.
#[test]
fn a_server_error_releases_the_lease() {
    let platform = MemoryPlatform::new();
    let lease = first(&platform, key("k", "{}"));
    let number = lease.number;
    block_on(lease.complete(&platform, &response(503))).unwrap();
    assert_eq!(resumed(&platform).number, number);
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
}

#[test]
fn an_abandoned_key_is_unused() {
    let platform = MemoryPlatform::new();
    let abandoned = first(&platform, key("k", "{}"));
    block_on(abandoned.abandon(&platform)).unwrap();
    let left = format!("{:?}", platform.state.snapshot());
    assert!(!left.contains("claim/idempotency/k"), "{left}");
    first(&platform, key("k", "[]"));
}

#[test]
fn a_lease_that_was_taken_over_abandons_nothing() {
    let platform = MemoryPlatform::new();
    let expired = first(&platform, key("k", "{}"));
    let current = resumed(&platform);
    block_on(expired.abandon(&platform)).unwrap();
    block_on(current.complete(&platform, &response(201))).unwrap();
    let replayed = acquire(&platform, key("k", "{}"));
    assert!(matches!(replayed, Ok(Acquisition::Replay(_))));
}

#[test]
fn a_lease_that_was_taken_over_stores_nothing() {
    let platform = MemoryPlatform::new();
    let mut expired = first(&platform, key("k", "{}"));
    let current = resumed(&platform);
    assert_eq!(
        block_on(expired.renumber(&platform, 99))
            .unwrap_err()
            .status,
        409
    );
    block_on(expired.complete(&platform, &response(404))).unwrap();
    block_on(current.complete(&platform, &response(201))).unwrap();
    let Ok(Acquisition::Replay(replayed)) = acquire(&platform, key("k", "{}")) else {
        panic!("not replayed");
    };
    assert_eq!(replayed.status(), 201);
}

#[test]
fn a_lease_is_exclusive_on_a_provider_that_reports_every_swap_as_a_conflict() {
    let platform = MemoryPlatform::new();
    platform.state.denies_swaps.set(true);
    first(&platform, key("k", "{}"));
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
}

#[test]
fn expired_responses_are_deleted() {
    let platform = MemoryPlatform::new();
    block_on(sweep(&platform)).unwrap();
    let lease = first(&platform, key("k", "{}"));
    block_on(lease.complete(&platform, &response(201))).unwrap();
    assert_eq!(block_on(sweep(&platform)), Ok(0));
    assert_eq!(sweep_for(&platform, RETENTION - Duration::from_secs(60)), 0);
    assert_eq!(sweep_for(&platform, TWO_HOURS), 1);
    let left = format!("{:?}", platform.state.snapshot());
    assert!(!left.contains("claim/idempotency/k"), "{left}");
    first(&platform, key("k", "{}"));
}

/// Sweeps every ten minutes for this time, and returns the number of deleted records.
fn sweep_for(platform: &MemoryPlatform, time: Duration) -> u64 {
    let interval = Duration::from_secs(600);
    let mut deleted = 0;
    for _ in 0..time.as_secs() / 600 {
        platform.advance(interval);
        deleted += block_on(sweep(platform)).unwrap();
    }
    deleted
}

/// Executes `work` on a host whose clock is ahead.
fn ahead<T>(platform: &MemoryPlatform, host: &str, by: Duration, work: impl FnOnce() -> T) -> T {
    let own = platform.host.replace(host.to_owned());
    platform.advance(by);
    let done = work();
    platform.set_back(by);
    platform.host.replace(own);
    done
}

/// The clock of one host is two days ahead. Neither records are deleted early, nor do later ones stay.
#[test]
fn records_do_not_expire_because_clocks_differ() {
    let platform = MemoryPlatform::new();
    let two_days = RETENTION * 2;
    let mut deleted = 0;
    let mut sweep_both = |hours: u64| {
        for _ in 0..hours * 6 {
            platform.advance(Duration::from_secs(600));
            deleted += block_on(sweep(&platform)).unwrap();
            deleted += ahead(&platform, "b", two_days, || {
                block_on(sweep(&platform)).unwrap()
            });
        }
        deleted
    };
    sweep_both(1);
    first(&platform, key("k", "{}"));
    ahead(&platform, "b", two_days, || {
        first(&platform, key("l", "{}"))
    });
    assert_eq!(sweep_both(23), 0);
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
    assert_eq!(sweep_both(4), 2);
}

/// The clock was an hour ahead when the first request began; the request crashed, and the clock was corrected.
#[test]
fn a_lease_from_the_future_is_taken_over() {
    let platform = MemoryPlatform::new();
    platform.advance(Duration::from_secs(3600));
    let lease = first(&platform, key("k", "{}"));
    platform.set_back(Duration::from_secs(3600));
    assert_eq!(resumed(&platform).number, lease.number);
}

/// The clock of the second host is an hour ahead or behind.
#[test]
fn a_lease_is_not_taken_over_because_clocks_differ() {
    let platform = MemoryPlatform::new();
    first(&platform, key("k", "{}"));
    let hour = Duration::from_secs(3600);
    for _ in 0..3 {
        platform.advance(hour);
        assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
        platform.set_back(hour);
        assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
    }
}

/// Three hosts look within the same second, in any order of their clocks.
#[test]
fn a_lease_is_not_taken_over_because_three_clocks_differ() {
    let clocks = [("a", 0), ("b", 60), ("c", 660)]
        .map(|(host, seconds)| (host, Duration::from_secs(seconds)));
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let platform = MemoryPlatform::new();
        first(&platform, key("k", "{}"));
        for _ in 0..3 {
            for (host, offset) in order.map(|index| clocks[index]) {
                let acquired = ahead(&platform, host, offset, || {
                    acquire(&platform, key("k", "{}"))
                });
                assert_eq!(acquired.unwrap_err().status, 409, "{order:?}");
            }
        }
    }
}

/// The record that a request with this body leaves.
fn record(platform: &MemoryPlatform) -> serde_json::Value {
    let value = block_on(platform.state.get("idempotency/k"))
        .unwrap()
        .unwrap();
    serde_json::from_slice(&value).unwrap()
}

#[test]
fn a_record_does_not_grow_with_the_body() {
    let platform = MemoryPlatform::new();
    let body: &'static str = Box::leak(format!(r#"{{"x": "{}"}}"#, "x".repeat(60_000)).into());
    first(&platform, key("k", body));
    assert!(record(&platform).to_string().len() < 300);
    assert_eq!(acquire(&platform, key("k", body)).unwrap_err().status, 409);
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 422);
}

#[test]
fn a_record_of_an_earlier_release_is_read() {
    let platform = MemoryPlatform::new();
    let lease = first(&platform, key("k", r#"{"carId": 1}"#));
    block_on(lease.complete(&platform, &response(201))).unwrap();
    let mut old = record(&platform);
    old["fingerprint"] = r#"GET / {"carId":1}"#.into();
    block_on(
        platform
            .state
            .set("idempotency/k", old.to_string().as_bytes()),
    )
    .unwrap();
    let replayed = acquire(&platform, key("k", r#"{"carId":1}"#));
    assert!(matches!(replayed, Ok(Acquisition::Replay(_))));
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 422);
}

const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// Makes records with these keys in one hour, and lets them expire.
fn expired_records(platform: &MemoryPlatform, keys: &[&str]) {
    block_on(sweep(platform)).unwrap();
    for name in keys {
        let lease = first(platform, key(name, "{}"));
        block_on(lease.complete(platform, &response(201))).unwrap();
    }
    for _ in 0..(RETENTION + TWO_HOURS).as_secs() / 600 {
        platform.advance(Duration::from_secs(600));
        age_of_an_hour(platform);
    }
}

/// Lets a sweep look at the present hour, which deletes nothing.
fn age_of_an_hour(platform: &MemoryPlatform) {
    let read = || {
        block_on(platform.state.get("idempotency-swept"))
            .unwrap()
            .unwrap()
    };
    let write = |value: &serde_json::Value| {
        block_on(
            platform
                .state
                .set("idempotency-swept", value.to_string().as_bytes()),
        )
        .unwrap();
    };
    let mut progress: serde_json::Value = serde_json::from_slice(&read()).unwrap();
    let hour = progress["hour"].clone();
    progress["hour"] = u64::MAX.into();
    write(&progress);
    block_on(sweep(platform)).unwrap();
    let mut progress: serde_json::Value = serde_json::from_slice(&read()).unwrap();
    progress["hour"] = hour;
    write(&progress);
}

#[test]
fn a_sweep_continues_where_the_last_one_stopped() {
    let platform = MemoryPlatform::new();
    let names: Vec<String> = (0..9).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    expired_records(&platform, &names);
    // The store fails in the middle of some slot, and the sweep does not begin anew.
    let mut deleted = 0;
    let mut sweeps = 0;
    while deleted < 9 {
        sweeps += 1;
        assert!(sweeps < 20, "{deleted} of 9");
        let before = remaining(&platform);
        platform.state.fail_once_after(18);
        let _ = block_on(sweep(&platform));
        platform.state.recover();
        deleted += before - remaining(&platform);
    }
    assert!(sweeps > 2);
}

fn remaining(platform: &MemoryPlatform) -> usize {
    let keys = block_on(platform.state.keys()).unwrap();
    let records = keys.iter().filter(|key| key.starts_with("idempotency/"));
    records.count()
}

/// A sweep was slow, and another one has deleted the record since; its key was then used again.
#[test]
fn a_record_that_was_made_anew_is_not_deleted() {
    let platform = MemoryPlatform::new();
    expired_records(&platform, &["k", "l"]);
    block_on(platform.state.delete("idempotency/k")).unwrap();
    first(&platform, key("k", "{}"));
    assert_eq!(block_on(sweep(&platform)), Ok(1));
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
}

#[test]
fn a_sweep_leaves_the_work_of_another_one_alone() {
    let platform = MemoryPlatform::new();
    expired_records(&platform, &["k"]);
    let now = platform.now();
    let held = serde_json::json!({"hour": 1, "slot": 0, "held": now}).to_string();
    block_on(platform.state.set("idempotency-swept", held.as_bytes())).unwrap();
    assert_eq!(block_on(sweep(&platform)), Ok(0));
    let progress = block_on(platform.state.get("idempotency-swept")).unwrap();
    assert_eq!(progress.as_deref(), Some(held.as_bytes()));
}

#[test]
fn the_progress_of_an_earlier_release_is_read() {
    let platform = MemoryPlatform::new();
    expired_records(&platform, &["k"]);
    let hour = platform.now().as_millis() / 3_600_000 - 30;
    let hour = hour.to_string();
    block_on(platform.state.set("idempotency-swept", hour.as_bytes())).unwrap();
    assert_eq!(sweep_for(&platform, TWO_HOURS * 3), 1);
}
