//! A counter that was lost, or set back, while its numbers are in use.

use super::*;
use crate::memory::MemoryPlatform;
use futures::executor::block_on;

fn key(number: u64) -> String {
    format!("thing/{number}")
}

/// A platform whose counter stands at `counter`, with things of these numbers.
fn platform(counter: i64, used: impl IntoIterator<Item = u64>) -> MemoryPlatform {
    let platform = MemoryPlatform::new();
    block_on(async {
        platform.state.increment(IDS, counter).await.unwrap();
        for number in used {
            platform.state.set(&key(number), b"{}").await.unwrap();
        }
    });
    platform
}

fn counter(platform: &MemoryPlatform) -> i64 {
    block_on(platform.state.increment(IDS, 0)).unwrap()
}

#[test]
fn no_number_in_use_is_allocated_after_the_loss_of_the_counter() {
    for count in [1, 2, 3, 4, 7, 8, 9, 100, 1000] {
        for stands_at in [0, 1, count / 2, count - 1] {
            let platform = platform(stands_at, 1..=count.unsigned_abs());
            for next in [count + 1, count + 2] {
                let allocated = block_on(allocate(&platform, key)).unwrap();
                assert_eq!(allocated, next.unsigned_abs(), "{count} {stands_at}");
                assert_eq!(counter(&platform), next);
            }
        }
    }
}

/// The things of these numbers are deleted without a trace.
#[test]
fn retired_numbers_count_as_used() {
    let used = (1..=100).filter(|number| number % 3 == 0 || *number > 70);
    let platform = platform(0, used.clone());
    for number in (1..=100).filter(|number| !used.clone().any(|one| one == *number)) {
        block_on(retire(&platform, number)).unwrap();
    }
    assert_eq!(block_on(allocate(&platform, key)), Ok(101));
}

#[test]
fn the_search_is_short() {
    let platform = platform(0, 1..=10_000);
    platform.state.fail_after(60);
    assert_eq!(block_on(allocate(&platform, key)), Ok(10_001));
}

/// What a crash left unused is found by the search. Each number is checked all the same.
#[test]
fn no_number_behind_a_gap_is_allocated_twice() {
    let used = (1..=50).chain(60..=200).chain(300..=310);
    let platform = platform(0, used.clone());
    let allocated = (0..400).map(|_| block_on(allocate(&platform, key)).unwrap());
    let allocated: Vec<u64> = allocated.collect();
    assert!(allocated.is_sorted(), "{allocated:?}");
    assert!(!used.into_iter().any(|number| allocated.contains(&number)));
}

/// The request that raised the counter has died.
#[test]
fn an_interrupted_search_is_repeated() {
    for calls in 0..40 {
        let platform = platform(0, 1..=50);
        platform.state.fail_after(calls);
        let _ = block_on(allocate(&platform, key));
        platform.state.recover();
        let allocated = block_on(allocate(&platform, key)).unwrap();
        assert!([51, 52].contains(&allocated), "{allocated}");
    }
}

#[test]
fn an_allocation_costs_two_calls() {
    let platform = platform(5, []);
    platform.state.fail_after(2);
    assert_eq!(block_on(allocate(&platform, key)), Ok(6));
}
