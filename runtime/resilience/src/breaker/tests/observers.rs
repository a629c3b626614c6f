//! Operators and observers of a breaker.

use super::*;
use std::sync::OnceLock;

#[tokio::test(start_paused = true)]
async fn the_state_that_an_operator_requests_stays() {
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
    let reported: Vec<_> = transitions
        .lock()
        .iter()
        .map(|it| (it.to, it.reason))
        .collect();
    let requested = |state| (state, TransitionReason::Operator);
    assert_eq!(
        reported,
        [
            BreakerState::ForcedOpen,
            BreakerState::Disabled,
            BreakerState::Closed
        ]
        .map(requested)
    );
}

#[tokio::test(start_paused = true)]
async fn an_observer_can_use_the_breaker_that_it_observes() {
    let itself = Arc::new(OnceLock::<Breaker>::new());
    let observed = itself.clone();
    let config = BreakerConfig::new(settings()).unwrap();
    let breaker = Breaker::new("car", config, move |transition: &Transition| {
        if transition.to == BreakerState::Open {
            observed.get().unwrap().reset();
        }
    });
    itself.set(breaker.clone()).unwrap();
    fail(&breaker, 4);
    assert_eq!(breaker.state(), BreakerState::Closed);
}
