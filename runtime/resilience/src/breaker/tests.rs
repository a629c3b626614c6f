//! One breaker over time, on a paused clock: when it opens, how long it stays open, what closes it.

mod concurrency;
mod half_open;

use super::*;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// Opens at half of at least four calls, for exactly a second that doubles; two probes decide.
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

/// A breaker and everything it reported.
fn observed(settings: BreakerSettings) -> (Breaker, Arc<Mutex<Vec<Transition>>>) {
    let transitions = Arc::new(Mutex::new(Vec::new()));
    let heard = transitions.clone();
    let config = BreakerConfig::new(settings).unwrap();
    let breaker = Breaker::new("car", config, move |transition: &Transition| {
        heard.lock().push(transition.clone());
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

/// Lets the open time pass and answers all the probes like this.
async fn probe(breaker: &Breaker, outcome: BreakerOutcome) {
    advance(breaker.snapshot().retry_after.unwrap_or_default()).await;
    call(breaker, outcome);
    if breaker.state() == BreakerState::HalfOpen {
        call(breaker, outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sick_service_is_cut_off_and_taken_back_when_it_is_well() {
    let (breaker, transitions) = observed(settings());
    call(&breaker, BreakerOutcome::Success);
    call(&breaker, BreakerOutcome::Success);
    fail(&breaker, 2);
    let refused = breaker.acquire().unwrap_err();
    assert_eq!(refused.to_string(), "the breaker of `car` is open");
    assert_eq!(refused.retry_after, SECOND);

    advance(SECOND).await;
    call(&breaker, BreakerOutcome::Success);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    call(&breaker, BreakerOutcome::Success);
    assert_eq!(breaker.state(), BreakerState::Closed);

    let told: Vec<_> = transitions
        .lock()
        .iter()
        .map(|it| (it.from, it.to, it.reason))
        .collect();
    assert_eq!(
        told,
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
async fn it_stays_closed_below_the_minimum_of_calls() {
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
async fn failures_in_a_row_open_it_whatever_the_rate() {
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
async fn slow_calls_open_it_even_if_they_succeed() {
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
async fn a_call_that_fails_slowly_is_slow_as_well() {
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
async fn the_caller_may_say_that_an_outcome_tells_nothing() {
    let breaker = breaker(settings());
    (0..50).for_each(|_| call(&breaker, BreakerOutcome::Ignored));
    assert_eq!(breaker.snapshot().window, WindowCounts::default());
    assert_eq!(breaker.snapshot().totals.ignored, 50);
}

#[tokio::test(start_paused = true)]
async fn open_time_grows_while_the_service_stays_sick_and_is_capped() {
    let (breaker, transitions) = observed(settings());
    fail(&breaker, 4);
    for _ in 0..3 {
        probe(&breaker, BreakerOutcome::Failure).await;
    }
    let times: Vec<_> = transitions
        .lock()
        .iter()
        .filter_map(|it| it.retry_after)
        .collect();
    assert_eq!(times, [SECOND, 2 * SECOND, 4 * SECOND, 4 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_relapse_soon_after_closing_keeps_the_longer_open_time() {
    let breaker = breaker(settings());
    fail(&breaker, 4);
    probe(&breaker, BreakerOutcome::Failure).await;
    probe(&breaker, BreakerOutcome::Success).await;
    advance(SECOND).await;
    fail(&breaker, 4);
    assert_eq!(
        breaker.snapshot().retry_after,
        Some(4 * SECOND),
        "it was open for two seconds, and well for one"
    );

    probe(&breaker, BreakerOutcome::Success).await;
    advance(4 * SECOND).await;
    fail(&breaker, 4);
    assert_eq!(
        breaker.snapshot().retry_after,
        Some(SECOND),
        "it was well for as long as it had been open"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_counts_only_if_it_was_slow() {
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

#[tokio::test(start_paused = true)]
async fn an_operator_has_the_last_word() {
    let (breaker, transitions) = observed(settings());
    breaker.force_open();
    breaker.force_open();
    advance(3600 * SECOND).await;
    assert_eq!(
        breaker.acquire().unwrap_err().state,
        BreakerState::ForcedOpen
    );

    breaker.disable();
    fail(&breaker, 50);
    assert_eq!(breaker.state(), BreakerState::Disabled);

    breaker.reset();
    breaker.reset();
    assert_eq!(breaker.state(), BreakerState::Closed);
    let told: Vec<_> = transitions
        .lock()
        .iter()
        .map(|it| (it.to, it.reason))
        .collect();
    let said = |state| (state, TransitionReason::Operator);
    assert_eq!(
        told,
        [
            BreakerState::ForcedOpen,
            BreakerState::Disabled,
            BreakerState::Closed
        ]
        .map(said)
    );
}

#[tokio::test(start_paused = true)]
async fn retry_after_says_when_the_next_call_goes_through() {
    let breaker = breaker(settings());
    assert_eq!(breaker.snapshot().retry_after, None);
    fail(&breaker, 4);
    advance(SECOND / 4).await;
    assert_eq!(breaker.snapshot().retry_after, Some(SECOND * 3 / 4));
    advance(SECOND * 3 / 4 - Duration::from_nanos(1)).await;
    assert!(breaker.acquire().is_err());
    advance(Duration::from_nanos(1)).await;
    assert_eq!(breaker.snapshot().retry_after, None);
    assert!(breaker.acquire().is_ok());
    breaker.force_open();
    assert_eq!(breaker.snapshot().retry_after, Some(4 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_use_the_breaker_it_observes() {
    let itself = Arc::new(OnceLock::<Breaker>::new());
    let known = itself.clone();
    let config = BreakerConfig::new(settings()).unwrap();
    let breaker = Breaker::new("car", config, move |transition: &Transition| {
        if transition.to == BreakerState::Open {
            known.get().unwrap().reset();
        }
    });
    itself.set(breaker.clone()).unwrap();
    fail(&breaker, 4);
    assert_eq!(breaker.state(), BreakerState::Closed);
}
