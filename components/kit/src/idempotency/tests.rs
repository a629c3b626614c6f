use super::{
    lease::{LEASE_DURATION, NUMBER_LIFETIME},
    *,
};
use crate::{
    http::{Problem, Request, Response},
    memory::MemoryPlatform,
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
    platform.advance(LEASE_DURATION);
    let Ok(Acquisition::Resume(resumed)) = acquire(&platform, key("k", "{}")) else {
        panic!("not resumed");
    };
    assert_eq!(resumed.number, lease.number);
}

fn resumed(platform: &MemoryPlatform) -> Lease {
    match acquire(platform, key("k", "{}")) {
        Ok(Acquisition::Resume(lease)) => lease,
        other => panic!("{other:?}"),
    }
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
fn a_lease_that_was_taken_over_stores_nothing() {
    let platform = MemoryPlatform::new();
    let mut expired = first(&platform, key("k", "{}"));
    platform.advance(LEASE_DURATION);
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
fn a_number_keeps_its_age_when_the_lease_is_taken_over() {
    let platform = MemoryPlatform::new();
    let lease = first(&platform, key("k", "{}"));
    assert!(lease.is_fresh(&platform));
    block_on(lease.complete(&platform, &response(503))).unwrap();
    platform.advance(NUMBER_LIFETIME / 2);
    assert!(resumed(&platform).is_fresh(&platform));
    platform.advance(LEASE_DURATION);
    let mut old = resumed(&platform);
    assert!(!old.is_fresh(&platform));
    block_on(old.renumber(&platform, 99)).unwrap();
    assert!(old.is_fresh(&platform));
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
    platform.advance(RETENTION + Duration::from_secs(2 * 60 * 60));
    assert_eq!(block_on(sweep(&platform)), Ok(1));
    first(&platform, key("k", "{}"));
}
