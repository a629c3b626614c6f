//! The breaker over the twin of its store.

use super::*;
use crate::{StoreError, memory::MemoryPlatform};
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

/// A call over the link, by an instance that knows nothing but what is stored.
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
fn a_link_that_fails_is_cut_off_and_says_for_how_long() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    assert_eq!(call(&platform, Ok(())), Err(Failure::BreakerOpen(1)));
    platform.advance(SECOND);
    for _ in 0..3 {
        assert_eq!(call(&platform, Ok(())), Ok(()));
    }
    fail(&platform, 4);
    assert_eq!(call(&platform, Ok(())), Ok(()), "the probes closed it");
}

#[test]
fn a_call_that_is_cut_off_is_not_made() {
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
fn one_link_is_not_cut_off_for_another() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    let other = Breaker::new(&platform, "payment");
    let answer = other.call(async { Ok::<_, Failure>(()) });
    assert_eq!(block_on(answer), Ok(()));
}

#[test]
fn whoever_comes_after_the_open_time_is_a_probe_and_no_more_than_three_are() {
    let platform = MemoryPlatform::new();
    fail(&platform, 5);
    platform.advance(SECOND);
    let probes = [(); 3].map(|()| block_on(Breaker::new(&platform, "car").admit()));
    assert!(probes.iter().all(Result::is_ok));
    assert!(call(&platform, Ok(())).is_err());
    // Their instances die, and nobody waits for their answers for ever.
    platform.advance(10 * SECOND);
    assert!(call(&platform, Ok(())).is_err());
    platform.advance(30 * SECOND);
    assert_eq!(call(&platform, Ok(())), Ok(()));
}

/// Calls of the store are counted by letting it fail after so many.
#[test]
fn a_healthy_link_costs_one_look() {
    let platform = MemoryPlatform::new();
    for _ in 0..20 {
        call(&platform, Ok(())).unwrap();
    }
    let before = stored(&platform);
    platform.state.fail_after(1);
    call(&platform, Ok(())).unwrap();
    let next = block_on(platform.state.get("any"));
    assert!(next.is_err(), "it looked once");
    platform.state.recover();
    platform.advance(SECOND);
    call(&platform, Ok(())).unwrap();
    assert_eq!(stored(&platform), before);
}

#[test]
fn a_silent_store_stands_in_nobodys_way() {
    for calls in 0..6 {
        let platform = MemoryPlatform::new();
        platform.state.fail_after(calls);
        assert_eq!(call(&platform, Ok(())), Ok(()), "{calls}");
        fail(&platform, 5);
        assert_eq!(call(&platform, Ok(())), Ok(()), "{calls}");
        let silence = Err(StoreError("down".into()));
        assert_eq!(block_on(platform.state.get("breaker/car")), silence);
    }
}

#[test]
fn a_provider_that_denies_every_swap_is_seen_through() {
    let platform = MemoryPlatform::new();
    platform.state.denies_swaps.set(true);
    fail(&platform, 5);
    assert!(call(&platform, Ok(())).is_err());
    platform.advance(SECOND);
    assert_eq!(call(&platform, Ok(())), Ok(()));
}

#[test]
fn what_cannot_be_read_or_lies_ahead_cuts_nobody_off_for_long() {
    let platform = MemoryPlatform::new();
    let future = br#"{"era":1,"since":0,"openings":1,"open_time":0,"phase":{"open":{"until":18446744073709551615}}}"#;
    for (value, seconds) in [(&b"nonsense"[..], 0), (future, 31)] {
        block_on(platform.state.set("breaker/car", value)).unwrap();
        let _ = call(&platform, Ok(()));
        platform.advance(seconds * SECOND);
        assert_eq!(call(&platform, Ok(())), Ok(()));
    }
}

proptest! {
    /// A closed breaker never refuses, whatever the store does; an open one never for more than its
    /// longest time.
    #[test]
    fn nobody_is_refused_without_cause_or_for_long(
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
        // The last place among the probes may be taken and its answer lost; then it opens once more.
        let is_made = (0..3).any(|_| {
            platform.advance(60 * SECOND);
            call(&platform, Ok(())).is_ok()
        });
        prop_assert!(is_made);
    }
}
