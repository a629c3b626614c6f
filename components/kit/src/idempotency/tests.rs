use super::*;
use crate::memory::MemoryPlatform;
use futures::executor::block_on;

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
fn the_same_key_and_body_are_given_the_first_answer() {
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
fn another_body_under_the_same_key_is_refused() {
    let platform = MemoryPlatform::new();
    first(&platform, key("k", "{}"));
    let problem = acquire(&platform, key("k", "[]")).unwrap_err();
    let response = problem.into_response("/things");
    assert_eq!(response.status(), 422);
    let told: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(told["field"], "Idempotency-Key");
}

#[test]
fn while_the_first_request_runs_the_second_has_to_wait() {
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

/// Such an answer may be given because nobody knows how the work ended, so the next one has to look.
#[test]
fn after_an_answer_that_invites_another_try_that_try_finds_out_at_once() {
    let platform = MemoryPlatform::new();
    let lease = first(&platform, key("k", "{}"));
    let number = lease.number;
    block_on(lease.complete(&platform, &response(503))).unwrap();
    assert_eq!(resumed(&platform).number, number);
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
}

#[test]
fn whoever_was_taken_over_has_no_say_any_more() {
    let platform = MemoryPlatform::new();
    let mut dead = first(&platform, key("k", "{}"));
    platform.advance(LEASE_DURATION);
    let living = resumed(&platform);
    assert_eq!(
        block_on(dead.renumber(&platform, 99)).unwrap_err().status,
        409
    );
    block_on(dead.complete(&platform, &response(404))).unwrap();
    block_on(living.complete(&platform, &response(201))).unwrap();
    let Ok(Acquisition::Replay(replayed)) = acquire(&platform, key("k", "{}")) else {
        panic!("not replayed");
    };
    assert_eq!(replayed.status(), 201);
}

#[test]
fn a_number_does_not_grow_younger_by_changing_hands() {
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
fn a_provider_that_denies_every_swap_is_not_believed() {
    let platform = MemoryPlatform::new();
    platform.state.denies_swaps.set(true);
    first(&platform, key("k", "{}"));
    assert_eq!(acquire(&platform, key("k", "{}")).unwrap_err().status, 409);
}

#[test]
fn expired_answers_are_dropped() {
    let platform = MemoryPlatform::new();
    block_on(sweep(&platform)).unwrap();
    let lease = first(&platform, key("k", "{}"));
    block_on(lease.complete(&platform, &response(201))).unwrap();
    assert_eq!(block_on(sweep(&platform)), Ok(0));
    platform.advance(RETENTION + Duration::from_secs(2 * 60 * 60));
    assert_eq!(block_on(sweep(&platform)), Ok(1));
    first(&platform, key("k", "{}"));
}
