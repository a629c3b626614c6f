//! One breaker on several threads.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

#[test]
fn concurrent_calls_are_all_counted() {
    const CALLS: u64 = 20_000;
    let never = BreakerSettings {
        failure_rate: None,
        consecutive_failures: Some(100_000),
        ..settings()
    };
    let window = WindowSize::Calls(100_000);
    let breaker = breaker(BreakerSettings { window, ..never });
    std::thread::scope(|scope| {
        for outcome in [
            BreakerOutcome::Success,
            BreakerOutcome::Failure,
            BreakerOutcome::Ignored,
            BreakerOutcome::Slow,
        ] {
            let breaker = &breaker;
            scope.spawn(move || (0..CALLS).for_each(|_| call(breaker, outcome)));
        }
    });
    let BreakerSnapshot { totals, window, .. } = breaker.snapshot();
    let expected = CallTotals {
        succeeded: CALLS,
        slow: CALLS,
        failed: CALLS,
        ignored: CALLS,
        rejected: 0,
    };
    assert_eq!(totals, expected);
    assert_eq!(u64::from(window.calls), 3 * CALLS);
}

#[test]
fn concurrent_probes_never_exceed_the_configured_number() {
    let open_duration = OpenDuration {
        initial: Duration::from_millis(1),
        jitter_percent: 0,
        ..OpenDuration::default()
    };
    let breaker = breaker(BreakerSettings {
        open_duration,
        ..settings()
    });
    fail(&breaker, 4);
    while breaker.snapshot().retry_after.is_some() {
        std::thread::yield_now();
    }
    let admitted = AtomicU32::new(0);
    let held = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for permit in (0..1000).filter_map(|_| breaker.acquire().ok()) {
                    admitted.fetch_add(1, SeqCst);
                    held.lock().push(permit);
                }
            });
        }
    });
    assert_eq!(admitted.load(SeqCst), 2);
}
