//! When the baseline is measured, and when the limit returns to an earlier value.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_unknown_baseline_is_measured_when_the_limit_is_reached() {
    let (limit, reported) = observed(settings(10));
    together(&limit, 10, WINDOW * 5, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 2, "the measurement has begun");
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    assert_eq!((limit.current(), baseline(&limit)), (10, Some(WINDOW)));
    assert_eq!(*reported.lock(), [2, 10]);
}

#[tokio::test(start_paused = true)]
async fn the_baseline_is_measured_again_when_it_was_exceeded_for_long_at_the_limit() {
    let limit = limit(settings(16));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    together(&limit, 16, WINDOW * 4, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 8, "the measurement has not begun");
    together(
        &limit,
        8,
        settings(16).remeasure_after,
        LimitOutcome::Success,
    )
    .await;
    assert_eq!(limit.current(), 2, "the measurement has begun");
    for _ in 0..2 {
        together(&limit, 2, WINDOW * 4, LimitOutcome::Success).await;
    }
    assert_eq!((limit.current(), baseline(&limit)), (8, Some(WINDOW * 4)));
}

#[tokio::test(start_paused = true)]
async fn a_faster_service_lowers_the_baseline_even_under_load() {
    let limit = limit(settings(16));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    let loaded = [(); 14].map(|()| limit.observe());
    let faster = [(); 4].map(|()| limit.observe());
    advance(WINDOW / 2).await;
    faster
        .into_iter()
        .take(3)
        .for_each(|call| call.record(LimitOutcome::Success));
    advance(WINDOW / 2).await;
    loaded
        .into_iter()
        .skip(13)
        .for_each(|call| call.record(LimitOutcome::Success));
    // Three calls of 50 ms and one of 100 ms move it by a fifth of the way to their average.
    let baseline = baseline(&limit).unwrap_or_default();
    assert_eq!(baseline.as_micros(), 92_500);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_the_limit_is_its_initial_value() {
    let limit = limit(settings(16));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    let after_a_pause = async || {
        advance(settings(16).remeasure_after).await;
        drop(limit.observe());
        limit.current()
    };
    together(&limit, 16, WINDOW, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 32);
    assert_eq!(after_a_pause().await, 16);
    together(&limit, 16, WINDOW, LimitOutcome::Dropped).await;
    assert!(limit.current() < 16);
    assert_eq!(after_a_pause().await, 16);
}

#[tokio::test(start_paused = true)]
async fn an_unused_limit_shrinks_towards_the_number_of_running_calls() {
    let limit = limit(settings(16));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    for calls in [16, 30, 60] {
        together(&limit, calls, WINDOW, LimitOutcome::Success).await;
    }
    assert_eq!(limit.current(), 128);
    for _ in 0..30 {
        together(&limit, 20, WINDOW, LimitOutcome::Success).await;
    }
    assert_eq!(limit.current(), 64, "half of it is in use");
}

#[tokio::test(start_paused = true)]
async fn a_measurement_without_calls_ends_without_a_baseline() {
    let limit = limit(settings(10));
    together(&limit, 10, WINDOW * 5, LimitOutcome::Success).await;
    together(&limit, 1, WINDOW * 10, LimitOutcome::Success).await;
    assert_eq!((limit.current(), baseline(&limit)), (10, None));
}
