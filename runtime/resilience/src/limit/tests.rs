//! The limit with single calls; `simulation` has thousands of them.

mod baseline;
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

/// A limit and every value that it reported.
fn observed(settings: LimitSettings) -> (AdaptiveLimit, Arc<Mutex<Vec<usize>>>) {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let recorded = reported.clone();
    let limit = AdaptiveLimit::new(settings, move |limit| recorded.lock().push(limit));
    (limit.unwrap(), reported)
}

fn limit(settings: LimitSettings) -> AdaptiveLimit {
    observed(settings).0
}

fn baseline(limit: &AdaptiveLimit) -> Option<Duration> {
    limit.0.estimator.lock().baseline()
}

/// Runs calls at the same time. All of them have this duration and this outcome.
async fn together(limit: &AdaptiveLimit, calls: usize, duration: Duration, outcome: LimitOutcome) {
    let calls: Vec<_> = (0..calls).map(|_| limit.observe()).collect();
    advance(duration).await;
    calls.into_iter().for_each(|call| call.record(outcome));
}

#[tokio::test(start_paused = true)]
async fn the_limit_grows_while_it_is_used_and_calls_hardly_delay_each_other() {
    let (limit, reported) = observed(settings(16));
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    assert_eq!(baseline(&limit), Some(WINDOW / 2));
    assert_eq!(limit.current(), 16, "the limit was not in use");
    together(&limit, 16, WINDOW, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 17, "the average is just tolerable");
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 34, "the average is the baseline");
    assert_eq!(*reported.lock(), [17, 34]);
}

#[tokio::test(start_paused = true)]
async fn the_last_reported_limit_is_the_present_one_however_long_an_observer_takes() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let (started, has_started) = std::sync::mpsc::channel();
    let (finish, may_finish) = std::sync::mpsc::channel();
    let recorded = reported.clone();
    let first = Mutex::new(Some((started, may_finish)));
    let limit = AdaptiveLimit::new(settings(16), move |limit| {
        let first = first.lock().take();
        if let Some((started, may_finish)) = first {
            started.send(()).unwrap();
            may_finish.recv().unwrap();
        }
        recorded.lock().push(limit);
    })
    .unwrap();
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    let calls: Vec<_> = (0..16).map(|_| limit.observe()).collect();
    advance(WINDOW).await;
    let clock = tokio::runtime::Handle::current();
    let slow = std::thread::spawn(move || {
        let _clock = clock.enter();
        let ends = |call: ObservedCall| call.record(LimitOutcome::Success);
        calls.into_iter().for_each(ends);
    });
    has_started.recv().unwrap();
    assert_eq!(limit.current(), 17);
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 17, WINDOW / 2, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 34);
    finish.send(()).unwrap();
    slow.join().unwrap();
    assert_eq!(*reported.lock(), [17, 34]);
}

#[tokio::test(start_paused = true)]
async fn a_small_limit_grows_by_less_than_one_call_in_a_window() {
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
async fn the_limit_shrinks_when_calls_take_too_long() {
    let limit = limit(settings(16));
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 2, WINDOW / 2, LimitOutcome::Success).await;
    together(&limit, 15, WINDOW * 5 / 4, LimitOutcome::Success).await;
    assert_eq!(
        limit.current(),
        12,
        "100 ms are tolerable, the average was 125 ms"
    );
    together(&limit, 11, WINDOW * 50, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 6, "at most by half");
}

#[tokio::test(start_paused = true)]
async fn dropped_calls_shrink_the_limit_by_their_share_down_to_the_minimum() {
    let limit = limit(settings(40));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    together(&limit, 12, WINDOW, LimitOutcome::Ignored).await;
    assert_eq!(limit.current(), 40, "ignored calls change nothing");
    let mut calls = [(); 4].map(|()| limit.observe()).into_iter();
    advance(WINDOW).await;
    calls
        .by_ref()
        .take(3)
        .for_each(|call| call.record(LimitOutcome::Success));
    calls.for_each(|call| call.record(LimitOutcome::Dropped));
    assert_eq!(limit.current(), 30);
    for _ in 0..20 {
        together(&limit, 4, WINDOW, LimitOutcome::Dropped).await;
    }
    assert_eq!(limit.current(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_dropped_call_among_many_shrinks_the_limit_by_a_tenth() {
    let limit = limit(LimitSettings {
        samples: 100,
        ..settings(200)
    });
    let calls = [(); 30].map(|()| {
        [
            limit.observe(),
            limit.observe(),
            limit.observe(),
            limit.observe(),
        ]
    });
    advance(WINDOW).await;
    for (number, call) in calls.into_iter().flatten().enumerate() {
        call.record(if number == 0 {
            LimitOutcome::Dropped
        } else {
            LimitOutcome::Success
        });
    }
    assert_eq!(limit.current(), 180);
}

#[tokio::test(start_paused = true)]
async fn long_calls_do_not_shrink_a_limit_that_is_not_in_use() {
    let limit = limit(settings(40));
    for _ in 0..2 {
        together(&limit, 2, WINDOW, LimitOutcome::Success).await;
    }
    together(&limit, 10, WINDOW * 9, LimitOutcome::Success).await;
    assert_eq!(limit.current(), 40);
}

#[tokio::test(start_paused = true)]
async fn the_limit_grows_although_calls_that_wait_for_an_external_service_end_rarely() {
    let limit = limit(LimitSettings {
        samples: 20,
        ..settings(8)
    });
    for _ in 0..20 {
        together(&limit, 2, WINDOW / 10, LimitOutcome::Success).await;
    }
    for more in [16, 32, 64] {
        let calls: Vec<_> = (0..limit.current()).map(|_| limit.observe()).collect();
        advance(WINDOW * 10).await;
        for call in calls {
            let local = call.excluding(WINDOW * 99 / 10);
            local.record(LimitOutcome::Success);
        }
        assert_eq!(limit.current(), more);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observation_that_is_discarded_changes_nothing() {
    let limit = limit(settings(10));
    drop([(); 10].map(|()| limit.observe()));
    assert_eq!(limit.0.estimator.lock().running(), 0);
    assert_eq!((limit.current(), baseline(&limit)), (10, None));
}

#[test]
fn settings_out_of_bounds_are_rejected() {
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
async fn time_that_a_call_waits_for_an_external_service_is_no_load() {
    let ten = Duration::from_millis(10);
    let limits = async |external_wait: Duration| {
        let limit = limit(settings(8));
        for _ in 0..20 {
            together(&limit, 2, ten, LimitOutcome::Success).await;
        }
        let before = limit.current();
        for _ in 0..3 {
            let calls: Vec<_> = (0..8).map(|_| limit.observe()).collect();
            advance(50 * ten).await;
            for call in calls {
                call.excluding(external_wait).record(LimitOutcome::Success);
            }
        }
        (before, limit.current())
    };
    let (before, after) = limits(49 * ten).await;
    assert!(after >= before, "{before} -> {after}");
    let (before, after) = limits(Duration::ZERO).await;
    assert!(after < before, "{before} -> {after}");
}
