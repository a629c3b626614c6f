//! What a limit does to single calls; what it does to thousands is in `simulation`.

mod simulation;

use super::*;
use std::time::Duration;
use tokio::time::advance;

const WINDOW: Duration = Duration::from_millis(100);

fn settings(initial: usize) -> LimitSettings {
    LimitSettings {
        initial,
        samples: 4,
        ..LimitSettings::default()
    }
}

/// A limit and every value it announced.
fn observed(settings: LimitSettings) -> (AdaptiveLimit, Arc<Mutex<Vec<usize>>>) {
    let announced = Arc::new(Mutex::new(Vec::new()));
    let heard = announced.clone();
    let limit = AdaptiveLimit::new(settings, move |limit| heard.lock().push(limit));
    (limit.unwrap(), announced)
}

fn limit(settings: LimitSettings) -> AdaptiveLimit {
    observed(settings).0
}

fn baseline(limit: &AdaptiveLimit) -> Option<Duration> {
    limit.0.estimator.lock().baseline()
}

/// So many calls at once, all of which take this long and end like this.
async fn together(limit: &AdaptiveLimit, calls: usize, takes: Duration, outcome: LimitOutcome) {
    let permits: Vec<_> = (0..calls).map(|_| limit.observe()).collect();
    advance(takes).await;
    permits
        .into_iter()
        .for_each(|permit| permit.record(outcome));
}

#[tokio::test(start_paused = true)]
async fn it_grows_while_calls_take_no_longer_than_alone_and_are_many() {
    let (limit, announced) = observed(settings(16));
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    assert_eq!(baseline(&limit), Some(WINDOW / 2));
    assert_eq!(limit.current(), 16, "nobody needed more");
    together(&limit, 16, WINDOW, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 17, "they take as long as they may");
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 34, "they hardly wait for each other");
    assert_eq!(*announced.lock(), [17, 34]);
}

#[tokio::test(start_paused = true)]
async fn the_last_to_be_announced_is_the_present_one_however_long_an_observer_takes() {
    let announced = Arc::new(Mutex::new(Vec::new()));
    let (arrived, has_arrived) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel();
    let heard = announced.clone();
    let first = Mutex::new(Some((arrived, may_go)));
    let limit = AdaptiveLimit::new(settings(16), move |limit| {
        let first = first.lock().take();
        if let Some((arrived, may_go)) = first {
            arrived.send(()).unwrap();
            may_go.recv().unwrap();
        }
        heard.lock().push(limit);
    })
    .unwrap();
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    let permits: Vec<_> = (0..16).map(|_| limit.observe()).collect();
    advance(WINDOW).await;
    let clock = tokio::runtime::Handle::current();
    let slow = std::thread::spawn(move || {
        let _clock = clock.enter();
        let ends = |permit: LimitPermit| permit.record(LimitOutcome::Success);
        permits.into_iter().for_each(ends);
    });
    has_arrived.recv().unwrap();
    assert_eq!(limit.current(), 17);
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 34);
    go.send(()).unwrap();
    slow.join().unwrap();
    assert_eq!(*announced.lock(), [17, 34]);
}

#[tokio::test(start_paused = true)]
async fn where_few_calls_run_it_takes_more_than_one_window_to_let_in_another() {
    let limit = limit(settings(4));
    for _ in 0..4 {
        together(&limit, 1, WINDOW / 2, LimitOutcome::Success).await;
    }
    for expected in [4, 5, 5, 6] {
        together(&limit, limit.current(), WINDOW, LimitOutcome::Success).await;
        assert_eq!(limit.current(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn it_shrinks_when_calls_take_too_long() {
    let limit = limit(settings(16));
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 15, WINDOW * 5 / 4, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 12, "they may take 100 ms and took 125 ms");
    together(&limit, 11, WINDOW * 50, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 6, "never by more than half at once");
}

#[tokio::test(start_paused = true)]
async fn lost_calls_shrink_it_by_their_share_down_to_the_minimum() {
    let limit = limit(settings(40));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    together(&limit, 12, WINDOW, LimitOutcome::Ignored).await;
    assert_eq!(limit.current(), 40, "what tells nothing changes nothing");
    let mut permits = [(); 4].map(|()| limit.observe()).into_iter();
    advance(WINDOW).await;
    permits
        .by_ref()
        .take(3)
        .for_each(|permit| permit.record(LimitOutcome::Success));
    permits.for_each(|permit| permit.record(LimitOutcome::Dropped));
    assert_eq!(limit.current(), 30);
    for _ in 0..20 {
        together(&limit, 4, WINDOW, LimitOutcome::Dropped).await;
    }
    assert_eq!(limit.current(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_lost_call_among_many_still_costs_a_tenth() {
    let limit = limit(LimitSettings {
        samples: 100,
        ..settings(200)
    });
    let permits = [(); 30].map(|()| {
        [
            limit.observe(),
            limit.observe(),
            limit.observe(),
            limit.observe(),
        ]
    });
    advance(WINDOW).await;
    for (number, permit) in permits.into_iter().flatten().enumerate() {
        permit.record(if number == 0 {
            LimitOutcome::Dropped
        } else {
            LimitOutcome::Success
        });
    }
    assert_eq!(limit.current(), 180);
}

#[tokio::test(start_paused = true)]
async fn a_baseline_that_is_unknown_is_measured_when_the_limit_is_reached() {
    let (limit, announced) = observed(settings(10));
    together(&limit, 10, WINDOW * 5, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 2, "pinned");
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    assert_eq!((limit.current(), baseline(&limit)), (10, Some(WINDOW)));
    assert_eq!(*announced.lock(), [2, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_baseline_is_doubted_when_it_was_exceeded_for_long_at_the_limit() {
    let limit = limit(settings(16));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    together(&limit, 16, WINDOW * 4, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 8, "it may pass");
    together(
        &limit,
        8,
        settings(16).remeasure_after,
        LimitOutcome::Success,
    )
    .await;
    assert_eq!(limit.current(), 2, "pinned");
    for _ in 0..2 {
        together(&limit, 2, WINDOW * 4, LimitOutcome::Success).await;
    }
    assert_eq!((limit.current(), baseline(&limit)), (8, Some(WINDOW * 4)));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_became_faster_is_believed_even_under_load() {
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
        .for_each(|permit| permit.record(LimitOutcome::Success));
    advance(WINDOW / 2).await;
    loaded
        .into_iter()
        .skip(13)
        .for_each(|permit| permit.record(LimitOutcome::Success));
    // Three calls of 50 ms and one of 100 ms draw it a fifth of the way to their average.
    let baseline = baseline(&limit).unwrap_or_default();
    assert_eq!(baseline.as_micros(), 92_500);
}

#[tokio::test(start_paused = true)]
async fn long_calls_that_are_few_are_not_the_limits_fault() {
    let limit = limit(settings(40));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    together(&limit, 10, WINDOW * 9, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 40);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_it_is_as_in_the_beginning() {
    let limit = limit(settings(16));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    let start_again = async || {
        advance(settings(16).remeasure_after).await;
        drop(limit.observe());
        limit.current()
    };
    together(&limit, 16, WINDOW, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 32);
    assert_eq!(start_again().await, 16);
    together(&limit, 16, WINDOW, LimitOutcome::Dropped).await;
    assert!(limit.current() < 16);
    assert_eq!(start_again().await, 16);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_nobody_needs_shrinks_to_what_is_used() {
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
    assert_eq!(limit.current(), 64, "a good part of it is in use");
}

#[tokio::test(start_paused = true)]
async fn a_slow_gateway_is_found_to_take_more_though_few_calls_end() {
    let limit = limit(LimitSettings {
        samples: 20,
        ..settings(8)
    });
    for _ in 0..20 {
        together(&limit, 2, WINDOW / 10, LimitOutcome::Success).await;
    }
    for more in [16, 32, 64] {
        let permits: Vec<_> = (0..limit.current()).map(|_| limit.observe()).collect();
        advance(WINDOW * 10).await;
        for permit in permits {
            let home = permit.excluding(WINDOW * 99 / 10);
            home.record(LimitOutcome::Success);
        }
        assert_eq!(limit.current(), more);
    }
}

#[tokio::test(start_paused = true)]
async fn a_measurement_without_calls_is_given_up() {
    let limit = limit(settings(10));
    together(&limit, 10, WINDOW * 5, LimitOutcome::Success).await;
    together(&limit, 1, WINDOW * 10, LimitOutcome::Success).await;
    assert_eq!((limit.current(), baseline(&limit)), (10, None));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_says_nothing() {
    let limit = limit(settings(10));
    drop([(); 10].map(|()| limit.observe()));
    assert_eq!(limit.0.estimator.lock().running(), 0);
    assert_eq!((limit.current(), baseline(&limit)), (10, None));
}

#[test]
fn limits_out_of_order_are_refused() {
    let good = LimitSettings::default();
    assert!(AdaptiveLimit::new(good, |_| {}).is_ok());
    for (name, bad) in [
        ("minimum", LimitSettings { minimum: 0, ..good }),
        ("maximum", LimitSettings { maximum: 1, ..good }),
        ("initial", LimitSettings { initial: 1, ..good }),
        (
            "tolerance",
            LimitSettings {
                tolerance: 1.0,
                ..good
            },
        ),
        (
            "window",
            LimitSettings {
                window: Duration::ZERO,
                ..good
            },
        ),
        ("samples", LimitSettings { samples: 0, ..good }),
    ] {
        let invalid = AdaptiveLimit::new(bad, |_| {}).unwrap_err();
        assert_eq!(invalid.setting, name);
    }
}

#[tokio::test(start_paused = true)]
async fn time_spent_elsewhere_is_no_load() {
    let ten = Duration::from_millis(10);
    let after_a_slow_gateway = async |elsewhere: Duration| {
        let limit = limit(settings(8));
        for _ in 0..20 {
            together(&limit, 2, ten, LimitOutcome::Success).await;
        }
        let before = limit.current();
        for _ in 0..3 {
            let permits: Vec<_> = (0..8).map(|_| limit.observe()).collect();
            advance(50 * ten).await;
            for permit in permits {
                permit.excluding(elsewhere).record(LimitOutcome::Success);
            }
        }
        (before, limit.current())
    };
    let (before, after) = after_a_slow_gateway(49 * ten).await;
    assert!(after >= before, "{before} -> {after}");
    let (before, after) = after_a_slow_gateway(Duration::ZERO).await;
    assert!(after < before, "{before} -> {after}");
}
