//! A half-open breaker: its probes, and those who are not.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_lets_through_its_probes_and_no_more() {
    let breaker = breaker(settings());
    fail(&breaker, 4);
    advance(SECOND).await;
    let probes = [breaker.acquire().unwrap(), breaker.acquire().unwrap()];
    let refused = breaker.acquire().unwrap_err();
    assert_eq!(
        (refused.state, refused.retry_after),
        (BreakerState::HalfOpen, SECOND)
    );
    probes
        .into_iter()
        .for_each(|probe| probe.record(BreakerOutcome::Success));
    assert!(breaker.acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_says_nothing_makes_room_for_another() {
    let breaker = breaker(settings());
    fail(&breaker, 4);
    advance(SECOND).await;
    let dropped = [breaker.acquire().unwrap(), breaker.acquire().unwrap()];
    drop(dropped);
    call(&breaker, BreakerOutcome::Ignored);
    call(&breaker, BreakerOutcome::Success);
    call(&breaker, BreakerOutcome::Success);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn probes_that_never_return_open_it_again() {
    let (breaker, transitions) = observed(settings());
    fail(&breaker, 4);
    advance(SECOND).await;
    let hanging = [breaker.acquire().unwrap(), breaker.acquire().unwrap()];
    advance(settings().probe_timeout).await;
    assert_eq!(breaker.acquire().unwrap_err().retry_after, 2 * SECOND);
    assert_eq!(
        transitions.lock().last().unwrap().reason,
        TransitionReason::ProbesTimedOut
    );
    hanging
        .into_iter()
        .for_each(|probe| probe.record(BreakerOutcome::Success));
    assert_eq!(
        breaker.state(),
        BreakerState::Open,
        "their generation is over"
    );
}

#[tokio::test(start_paused = true)]
async fn stragglers_from_before_do_not_decide_about_now() {
    let breaker = breaker(settings());
    let stragglers: Vec<_> = (0..9).map(|_| breaker.acquire().unwrap()).collect();
    fail(&breaker, 4);
    probe(&breaker, BreakerOutcome::Success).await;
    stragglers
        .into_iter()
        .for_each(|straggler| straggler.record(BreakerOutcome::Failure));
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(breaker.snapshot().window, WindowCounts::default());
    assert_eq!(
        breaker.snapshot().totals.failed,
        13,
        "they are counted all the same"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_probes_open_it_again_if_slowness_is_a_rule() {
    let slow_calls = Some(SlowCalls {
        after: SECOND,
        rate: 100,
    });
    let (breaker, transitions) = observed(BreakerSettings {
        slow_calls,
        ..settings()
    });
    fail(&breaker, 4);
    probe(&breaker, BreakerOutcome::Slow).await;
    let reason = transitions.lock().last().unwrap().reason;
    assert_eq!(
        reason,
        TransitionReason::ProbesFailed { failed: 0, slow: 2 }
    );
}
