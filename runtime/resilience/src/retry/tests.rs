//! A retried call, attempt by attempt, on a paused clock.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer as _, ServiceExt as _};

/// A request that may be sent twice, or not, and that has this much time.
#[derive(Clone, Copy)]
struct Call {
    is_safe: bool,
    time_left: Option<Duration>,
}

#[derive(Debug, PartialEq)]
enum Failure {
    Passing(u32),
    Lasting,
}

struct Careful;

impl RetryPolicy<Call, u32, Failure> for Careful {
    fn copy(&self, call: &Call) -> Option<Call> {
        call.is_safe.then_some(*call)
    }

    fn is_worth_another(&self, result: &Result<u32, Failure>) -> bool {
        matches!(result, Err(Failure::Passing(_)))
    }

    fn time_left(&self, call: &Call) -> Option<Duration> {
        call.time_left
    }
}

const SAFE: Call = Call {
    is_safe: true,
    time_left: None,
};
const UNSAFE: Call = Call {
    is_safe: false,
    ..SAFE
};

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn budget(minimum_per_second: u32) -> RetryBudget {
    let settings = RetryBudgetSettings {
        percent: 0,
        minimum_per_second,
        ttl: Duration::from_secs(1),
    };
    RetryBudget::new(settings).unwrap()
}

/// Makes this call on a service that fails so many times, with three further attempts and this budget. Tells the
/// result and the number of attempts.
async fn make(
    call: Call,
    failures: u32,
    last: fn(u32) -> Failure,
    budget: RetryBudget,
) -> (Result<u32, Failure>, u32) {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let service = tower::service_fn(move |_: Call| {
        let attempt = counted.fetch_add(1, SeqCst) + 1;
        std::future::ready(if attempt > failures {
            Ok(attempt)
        } else {
            Err(last(attempt))
        })
    });
    let backoff = Backoff::new(millis(100), millis(1000), 3).unwrap();
    let result = RetryLayer::new(Careful, backoff, budget)
        .layer(service)
        .oneshot(call)
        .await;
    (result, attempts.load(SeqCst))
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_tried_again() {
    let began = Instant::now();
    assert_eq!(
        make(SAFE, 2, Failure::Passing, budget(10)).await,
        (Ok(3), 3)
    );
    // Timers round up to the next millisecond, twice.
    assert!(began.elapsed() <= millis(302), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_the_answer_when_attempts_are_used_up() {
    assert_eq!(
        make(SAFE, 9, Failure::Passing, budget(10)).await,
        (Err(Failure::Passing(4)), 4)
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent_twice_is_sent_once() {
    assert_eq!(
        make(UNSAFE, 9, Failure::Passing, budget(10)).await,
        (Err(Failure::Passing(1)), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_lasting_failure_is_not_tried_again() {
    assert_eq!(
        make(SAFE, 9, |_| Failure::Lasting, budget(10)).await,
        (Err(Failure::Lasting), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_retries_beyond_the_budget_of_all() {
    let budget = budget(2);
    assert_eq!(make(SAFE, 9, Failure::Passing, budget.clone()).await.1, 3);
    assert_eq!(make(SAFE, 9, Failure::Passing, budget.clone()).await.1, 1);
    assert_eq!(budget.retried(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_would_use_up_the_time_left_is_not_begun() {
    let hurried = Call {
        time_left: Some(Duration::ZERO),
        ..SAFE
    };
    let (began, budget) = (Instant::now(), budget(10));
    assert_eq!(
        make(hurried, 9, Failure::Passing, budget.clone()).await.1,
        1
    );
    assert_eq!((began.elapsed(), budget.retried()), (Duration::ZERO, 0));
}

#[tokio::test(start_paused = true)]
async fn those_who_failed_together_do_not_come_back_together() {
    let mut pauses = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        make(SAFE, 1, Failure::Passing, budget(10)).await.0.unwrap();
        pauses.push(began.elapsed());
    }
    pauses.sort();
    pauses.dedup();
    assert!(pauses.len() > 20, "they paused alike: {pauses:?}");
}
