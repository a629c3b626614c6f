//! One breaker on a paused clock: when it opens, how long it stays open, and what closes it.

mod concurrency;
mod half_open;
mod observers;
mod open;

use super::*;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// Opens when half of at least four calls failed, for one second that doubles, without jitter; two probes decide.
fn settings() -> BreakerSettings {
    BreakerSettings {
        window: WindowSize::Calls(10),
        minimum_calls: 4,
        open_duration: OpenDuration {
            jitter_percent: 0,
            max: 4 * SECOND,
            ..OpenDuration::default()
        },
        probes: 2,
        ..BreakerSettings::default()
    }
}

/// A breaker and every transition that it reported.
fn observed(settings: BreakerSettings) -> (Breaker, Arc<Mutex<Vec<Transition>>>) {
    let transitions = Arc::new(Mutex::new(Vec::new()));
    let recorded = transitions.clone();
    let config = BreakerConfig::new(settings).unwrap();
    let breaker = Breaker::new("car", config, move |transition: &Transition| {
        recorded.lock().push(transition.clone());
    });
    (breaker, transitions)
}

fn breaker(settings: BreakerSettings) -> Breaker {
    observed(settings).0
}

fn call(breaker: &Breaker, outcome: BreakerOutcome) {
    breaker.acquire().unwrap().record(outcome);
}

fn fail(breaker: &Breaker, times: usize) {
    (0..times).for_each(|_| call(breaker, BreakerOutcome::Failure));
}

/// Waits for the open duration, and ends every probe with this outcome.
async fn probe(breaker: &Breaker, outcome: BreakerOutcome) {
    advance(breaker.snapshot().retry_after.unwrap_or_default()).await;
    call(breaker, outcome);
    if breaker.state() == BreakerState::HalfOpen {
        call(breaker, outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_for_a_failing_service_and_closes_when_it_recovers() {
    let (breaker, transitions) = observed(settings());
    call(&breaker, BreakerOutcome::Success);
    call(&breaker, BreakerOutcome::Success);
    fail(&breaker, 2);
    let rejected = breaker.acquire().unwrap_err();
    assert_eq!(rejected.to_string(), "the breaker of `car` is open");
    assert_eq!(rejected.retry_after, SECOND);

    advance(SECOND).await;
    call(&breaker, BreakerOutcome::Success);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    call(&breaker, BreakerOutcome::Success);
    assert_eq!(breaker.state(), BreakerState::Closed);

    let reported: Vec<_> = transitions
        .lock()
        .iter()
        .map(|it| (it.from, it.to, it.reason))
        .collect();
    assert_eq!(
        reported,
        [
            (
                BreakerState::Closed,
                BreakerState::Open,
                TransitionReason::FailureRate {
                    percent: 50,
                    calls: 4
                }
            ),
            (
                BreakerState::Open,
                BreakerState::HalfOpen,
                TransitionReason::OpenDurationElapsed
            ),
            (
                BreakerState::HalfOpen,
                BreakerState::Closed,
                TransitionReason::ProbesSucceeded
            ),
        ]
    );
    let first = transitions.lock()[0].clone();
    assert_eq!(
        (&*first.link, first.sequence, first.retry_after),
        ("car", 1, Some(SECOND))
    );
}

#[tokio::test(start_paused = true)]
async fn the_breaker_stays_closed_below_the_minimum_number_of_calls() {
    let breaker = breaker(settings());
    fail(&breaker, 3);
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn old_calls_leave_a_window_of_time() {
    let window = WindowSize::Time(10 * SECOND);
    let breaker = breaker(BreakerSettings {
        window,
        ..settings()
    });
    fail(&breaker, 3);
    advance(10 * SECOND).await;
    fail(&breaker, 3);
    assert_eq!(
        (breaker.state(), breaker.snapshot().window.calls),
        (BreakerState::Closed, 3)
    );
    fail(&breaker, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn consecutive_failures_open_the_breaker_whatever_the_rate() {
    let rules = BreakerSettings {
        failure_rate: None,
        consecutive_failures: Some(3),
        ..settings()
    };
    let (breaker, transitions) = observed(rules);
    for _ in 0..20 {
        fail(&breaker, 2);
        call(&breaker, BreakerOutcome::Success);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&breaker, 3);
    assert_eq!(
        transitions.lock()[0].reason,
        TransitionReason::ConsecutiveFailures { failures: 3 }
    );
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_the_breaker_even_if_they_succeed() {
    let slow_calls = Some(SlowCalls {
        after: SECOND,
        rate: 75,
    });
    let (breaker, transitions) = observed(BreakerSettings {
        slow_calls,
        ..settings()
    });
    call(&breaker, BreakerOutcome::Success);
    call(&breaker, BreakerOutcome::Slow);
    for _ in 0..2 {
        let permit = breaker.acquire().unwrap();
        advance(SECOND).await;
        permit.record(BreakerOutcome::Success);
    }
    assert_eq!(
        transitions.lock()[0].reason,
        TransitionReason::SlowCallRate {
            percent: 75,
            calls: 4
        }
    );
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.succeeded, totals.slow), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_after_a_long_time_is_also_slow() {
    let slow_calls = Some(SlowCalls {
        after: SECOND,
        rate: 100,
    });
    let breaker = breaker(BreakerSettings {
        slow_calls,
        failure_rate: None,
        ..settings()
    });
    let failing = breaker.acquire().unwrap();
    advance(SECOND).await;
    failing.record(BreakerOutcome::Failure);
    assert_eq!(
        breaker.snapshot().window,
        WindowCounts {
            calls: 1,
            failed: 1,
            slow: 1
        }
    );
}

#[tokio::test(start_paused = true)]
async fn an_ignored_outcome_does_not_count_in_the_window() {
    let breaker = breaker(settings());
    (0..50).for_each(|_| call(&breaker, BreakerOutcome::Ignored));
    assert_eq!(breaker.snapshot().window, WindowCounts::default());
    assert_eq!(breaker.snapshot().totals.ignored, 50);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_counts_only_if_it_was_slow() {
    let slow_calls = Some(SlowCalls {
        after: SECOND,
        rate: 100,
    });
    let breaker = breaker(BreakerSettings {
        slow_calls,
        ..settings()
    });
    drop(breaker.acquire().unwrap());
    assert_eq!(breaker.snapshot().window.calls, 0);
    let hanging = breaker.acquire().unwrap();
    advance(SECOND).await;
    drop(hanging);
    assert_eq!(
        breaker.snapshot().window,
        WindowCounts {
            calls: 1,
            failed: 0,
            slow: 1
        }
    );
}
