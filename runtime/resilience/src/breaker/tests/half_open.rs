//! A half-open breaker: its probes, and calls of earlier generations.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_admits_its_probes_and_rejects_all_other_calls() {
    let breaker = breaker(settings());
    fail(&breaker, 4);
    advance(SECOND).await;
    let probes = [breaker.acquire().unwrap(), breaker.acquire().unwrap()];
    let rejected = breaker.acquire().unwrap_err();
    assert_eq!(
        (rejected.state, rejected.retry_after),
        (BreakerState::HalfOpen, SECOND)
    );
    probes
        .into_iter()
        .for_each(|probe| probe.record(BreakerOutcome::Success));
    assert!(breaker.acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_ignored_probe_is_replaced_by_another() {
    let breaker = breaker(settings());
    fail(&breaker, 4);
    advance(SECOND).await;
    let cancelled = [breaker.acquire().unwrap(), breaker.acquire().unwrap()];
    drop(cancelled);
    call(&breaker, BreakerOutcome::Ignored);
    call(&breaker, BreakerOutcome::Success);
    call(&breaker, BreakerOutcome::Success);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn probes_that_time_out_open_the_breaker_again() {
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
        "the probes belong to an earlier generation"
    );
}

#[tokio::test(start_paused = true)]
async fn calls_of_an_earlier_generation_do_not_change_the_state() {
    let breaker = breaker(settings());
    let late: Vec<_> = (0..9).map(|_| breaker.acquire().unwrap()).collect();
    fail(&breaker, 4);
    probe(&breaker, BreakerOutcome::Success).await;
    late.into_iter()
        .for_each(|call| call.record(BreakerOutcome::Failure));
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(breaker.snapshot().window, WindowCounts::default());
    assert_eq!(
        breaker.snapshot().totals.failed,
        13,
        "the totals contain them"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_probes_open_the_breaker_again_if_slow_calls_are_a_rule() {
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
