//! An open breaker: how long it stays open.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_open_duration_grows_up_to_its_maximum_while_the_service_fails() {
    let (breaker, transitions) = observed(settings());
    fail(&breaker, 4);
    for _ in 0..3 {
        probe(&breaker, BreakerOutcome::Failure).await;
    }
    let durations: Vec<_> = transitions
        .lock()
        .iter()
        .filter_map(|it| it.retry_after)
        .collect();
    assert_eq!(durations, [SECOND, 2 * SECOND, 4 * SECOND, 4 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_soon_after_closing_keeps_the_longer_open_duration() {
    let breaker = breaker(settings());
    fail(&breaker, 4);
    probe(&breaker, BreakerOutcome::Failure).await;
    probe(&breaker, BreakerOutcome::Success).await;
    advance(SECOND).await;
    fail(&breaker, 4);
    assert_eq!(
        breaker.snapshot().retry_after,
        Some(4 * SECOND),
        "open for two seconds, then closed for one"
    );

    probe(&breaker, BreakerOutcome::Success).await;
    advance(4 * SECOND).await;
    fail(&breaker, 4);
    assert_eq!(
        breaker.snapshot().retry_after,
        Some(SECOND),
        "closed for as long as it had been open"
    );
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_the_time_until_the_next_call_passes() {
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
