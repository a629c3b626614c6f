//! The breaker over the in-memory fake of its store.

use super::*;
use crate::{memory::MemoryPlatform, store::StoreError};
use futures::executor::block_on;
use proptest::prelude::*;
use std::cell::Cell;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq)]
enum Failure {
    Unhealthy,
    BreakerOpen(u64),
}

impl From<BreakerOpen> for Failure {
    fn from(open: BreakerOpen) -> Self {
        Self::BreakerOpen(open.retry_after)
    }
}

/// A call over the link by a new instance, which knows only the stored state.
fn call(platform: &MemoryPlatform, answer: Result<(), Failure>) -> Result<(), Failure> {
    block_on(Breaker::new(platform, "car").call(async { answer }))
}

fn fail(platform: &MemoryPlatform, times: usize) {
    for _ in 0..times {
        assert_eq!(
            call(platform, Err(Failure::Unhealthy)),
            Err(Failure::Unhealthy)
        );
    }
}

fn stored(platform: &MemoryPlatform) -> Option<Vec<u8>> {
    block_on(platform.state.get("breaker/car")).unwrap()
}

#[test]
fn the_settings_are_not_the_fallback() {
    assert_ne!(config(), BreakerConfig::default());
}

#[test]
fn five_failures_open_the_breaker_for_the_reported_time() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    assert_eq!(call(&platform, Ok(())), Err(Failure::BreakerOpen(1)));
    platform.advance(SECOND);
    for _ in 0..3 {
        assert_eq!(call(&platform, Ok(())), Ok(()));
    }
    fail(&platform, 4);
    assert_eq!(
        call(&platform, Ok(())),
        Ok(()),
        "successful probes close the breaker"
    );
}

#[test]
fn an_open_breaker_makes_no_call() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    let is_made = Cell::new(false);
    let call = async {
        is_made.set(true);
        Ok::<_, Failure>(())
    };
    let refused = block_on(Breaker::new(&platform, "car").call(call));
    assert!(refused.is_err() && !is_made.get());
}

#[test]
fn every_link_has_a_breaker_of_its_own() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    let other = Breaker::new(&platform, "payment");
    let answer = other.call(async { Ok::<_, Failure>(()) });
    assert_eq!(block_on(answer), Ok(()));
}

#[test]
fn at_most_three_calls_after_the_open_time_are_probes() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    platform.advance(SECOND);
    let probes = [(); 3].map(|()| block_on(Breaker::new(&platform, "car").admit()));
    assert!(probes.iter().all(Result::is_ok));
    assert!(call(&platform, Ok(())).is_err());
    // The instances of the probes die. The breaker does not wait for their outcomes for ever.
    platform.advance(10 * SECOND);
    assert!(call(&platform, Ok(())).is_err());
    platform.advance(30 * SECOND);
    assert_eq!(call(&platform, Ok(())), Ok(()));
}

/// The store fails after one call: a second call would be seen.
#[test]
fn a_call_over_a_healthy_link_reads_the_store_once() {
    let platform = MemoryPlatform::new();
    for _ in 0..20 {
        call(&platform, Ok(())).unwrap();
    }
    let before = stored(&platform);
    platform.state.fail_after(1);
    call(&platform, Ok(())).unwrap();
    let next = block_on(platform.state.get("any"));
    assert!(next.is_err(), "the breaker read the store once");
    platform.state.recover();
    platform.advance(SECOND);
    call(&platform, Ok(())).unwrap();
    assert_eq!(stored(&platform), before);
}

#[test]
fn a_failing_store_rejects_no_call() {
    for calls in 0..6 {
        let platform = MemoryPlatform::new();
        platform.state.fail_after(calls);
        assert_eq!(call(&platform, Ok(())), Ok(()), "{calls}");
        fail(&platform, 5);
        assert_eq!(call(&platform, Ok(())), Ok(()), "{calls}");
        let failure = Err(StoreError("down".into()));
        assert_eq!(block_on(platform.state.get("breaker/car")), failure);
    }
}

#[test]
fn the_breaker_works_on_a_provider_that_reports_every_swap_as_a_conflict() {
    let platform = MemoryPlatform::new();
    platform.state.denies_swaps.set(true);
    fail(&platform, 5);
    assert!(call(&platform, Ok(())).is_err());
    platform.advance(SECOND);
    assert_eq!(call(&platform, Ok(())), Ok(()));
}

/// Spin's Redis provider writes and reports a conflict. Another instance starts a probe before this one reads back.
#[test]
fn a_probe_is_started_once_when_others_write_before_the_reading_back() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    platform.advance(SECOND);
    platform.state.denies_swaps.set(true);
    platform.state.after_next_swap(|values| {
        let value = values.get_mut("breaker/car").unwrap();
        let mut stored: serde_json::Value = serde_json::from_slice(value).unwrap();
        stored["phase"]["half-open"]["started"] = 2.into();
        *value = serde_json::to_vec(&stored).unwrap();
    });
    assert_eq!(call(&platform, Ok(())), Ok(()));
    assert_eq!(call(&platform, Ok(())), Ok(()), "the third probe is left");
}

#[test]
fn an_unreadable_state_or_one_of_the_future_rejects_calls_for_a_bounded_time() {
    let platform = MemoryPlatform::new();
    let future = br#"{"era":1,"since":0,"openings":1,"open_time":0,"phase":{"open":{"until":18446744073709551615}}}"#;
    for (value, seconds) in [(&b"nonsense"[..], 0), (future, 31)] {
        block_on(platform.state.set("breaker/car", value)).unwrap();
        let _ = call(&platform, Ok(()));
        platform.advance(seconds * SECOND);
        assert_eq!(call(&platform, Ok(())), Ok(()));
    }
}

/// The times in the store are those of the clock that wrote them.
#[test]
fn a_clock_that_was_far_ahead_keeps_no_breaker_open() {
    let ahead = MemoryPlatform::new();
    ahead.advance(600 * SECOND);
    fail(&ahead, 5);
    assert_eq!(call(&ahead, Ok(())), Err(Failure::BreakerOpen(1)));
    let platform = MemoryPlatform::new();
    block_on(platform.state.set("breaker/car", &stored(&ahead).unwrap())).unwrap();
    for _ in 0..10 {
        let _ = call(&platform, Ok(()));
        platform.advance(SECOND);
    }
    for _ in 0..4 {
        assert_eq!(call(&platform, Ok(())), Ok(()));
    }
}

proptest! {
    /// A closed breaker rejects no call, whatever the store does. An open one rejects calls for no longer
    /// than its longest open time.
    #[test]
    fn calls_are_rejected_only_after_failures_and_for_a_bounded_time(
        steps in proptest::collection::vec((any::<bool>(), 0..20_000_u64, 0..8_u32), 1..200),
    ) {
        let platform = MemoryPlatform::new();
        let mut failures = 0;
        for (is_good, pause, stumble) in steps {
            platform.advance(Duration::from_millis(pause));
            if stumble < 4 {
                platform.state.fail_once_after(stumble);
            }
            let answer = if is_good { Ok(()) } else { Err(Failure::Unhealthy) };
            match call(&platform, answer) {
                Err(Failure::BreakerOpen(seconds)) => {
                    prop_assert!(failures >= 5, "after {failures} failures");
                    prop_assert!((1..=30).contains(&seconds));
                }
                Err(Failure::Unhealthy) => failures += 1,
                Ok(()) => {}
            }
            platform.state.recover();
        }
        // The last permit for a probe may be taken and its outcome lost; then the breaker opens once more.
        let is_made = (0..3).any(|_| {
            platform.advance(60 * SECOND);
            call(&platform, Ok(())).is_ok()
        });
        prop_assert!(is_made);
    }
}
