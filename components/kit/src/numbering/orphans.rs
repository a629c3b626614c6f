//! Orphans: numbers that were allocated and then left unused by a crash.
//!
//! A reader of a number without an aggregate cannot distinguish a crash from a creation in progress. It
//! therefore stores only a suspicion, and the sweep retires the number if it is still unused when no call that
//! might create the aggregate can be running any more. A creation itself costs nothing more.
//!
//! A repeated request may create the aggregate of an old number at any time. It therefore reinstates the number
//! after the creation, and the sweep looks for the aggregate again after it has retired the number: the later one of the
//! two sees what the other one wrote. For the same reason it looks again after it has reinstated a number, whose aggregate
//! may have been deleted and retired meanwhile.
//!
//! A suspicion is an entry of the outbox store, which gives it an age, and a member of the set of suspects, by
//! which lists skip the number until then.

use super::{NumberSet, retire};
use crate::{
    backlog::Backlog,
    platform::Platform,
    store::{Store, StoreError},
    sweep::{SweepFailure, SweepFailures},
};
use std::time::Duration;

/// Minimum age of a suspicion that a sweep acts on; it is longer than any call may run.
pub const ORPHANED_AFTER: Duration = Duration::from_secs(120);

/// Key prefix of the suspicions in the outbox store.
pub const SUSPICION: &str = "lost/";
/// Key of the set of suspects in the state store.
const SUSPECTS: &str = "suspects";

/// Stores the suspicion that `number` is an orphan. A repeated suspicion keeps its age.
///
/// # Errors
///
/// The store failed. A reader may ignore it: the next reader stores the suspicion.
pub async fn suspect<P: Platform>(platform: &P, number: u64) -> Result<(), StoreError> {
    // The entry comes first: by it, a sweep removes the number from the set.
    platform.outbox().set(&entry_key(number), b"{}").await?;
    super::update(platform, SUSPECTS, |suspects| suspects.insert(number)).await
}

/// The numbers that are suspected to be orphans.
///
/// # Errors
///
/// The store failed.
pub async fn suspects<P: Platform>(platform: &P) -> Result<NumberSet, StoreError> {
    super::load(platform, SUSPECTS).await
}

/// Retires the suspected numbers in `backlog` that are still unused, and returns how many it retired. `exists`
/// returns whether a number has an aggregate by now, other than a deleted one. A failure is noted in `failures`.
pub async fn sweep<P: Platform, E: Into<SweepFailure> + From<StoreError>>(
    platform: &P,
    backlog: &Backlog,
    exists: impl AsyncFn(u64) -> Result<bool, E>,
    failures: &mut SweepFailures,
) -> usize {
    let mut retired = 0;
    for (number, entry) in backlog.with_prefix(SUSPICION) {
        let Ok(number) = number.parse() else {
            continue;
        };
        let settle = async {
            let mut is_used = exists(number).await?;
            if !is_used && entry.age < ORPHANED_AFTER {
                return Ok(false);
            }
            if !is_used {
                retire(platform, number).await?;
                is_used = exists(number).await?;
            }
            if is_used {
                // This sweep has retired it, or an earlier one that was interrupted.
                super::reinstate(platform, number).await?;
                // The aggregate may have been deleted since it was found, and its tombstone is then gone.
                if !exists(number).await? {
                    retire(platform, number).await?;
                }
            }
            super::update(platform, SUSPECTS, |suspects| suspects.remove(number)).await?;
            platform.outbox().delete(&entry.key).await?;
            Ok::<_, E>(!is_used)
        };
        retired += usize::from(failures.check(settle.await).unwrap_or_default());
    }
    retired
}

fn entry_key(number: u64) -> String {
    format!("{SUSPICION}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory::MemoryPlatform, numbering};
    use futures::executor::block_on;

    fn sweep(platform: &MemoryPlatform, exists: bool) -> usize {
        let mut failures = SweepFailures::default();
        let backlog = block_on(Backlog::load(platform, &[SUSPICION])).unwrap();
        let exists = async |_| Ok::<_, StoreError>(exists);
        let retired = block_on(super::sweep(platform, &backlog, exists, &mut failures));
        failures.into_result(retired).unwrap()
    }

    /// Sweeps until a suspicion is old enough, and returns how many numbers were retired.
    fn sweep_for_long(platform: &MemoryPlatform) -> usize {
        let sweeps = (0..30).map(|_| {
            platform.advance(Duration::from_secs(5));
            sweep(platform, false)
        });
        sweeps.sum()
    }

    fn count(platform: &MemoryPlatform) -> u64 {
        block_on(numbering::live_numbers(platform)).unwrap().count()
    }

    fn suspected(platform: &MemoryPlatform) -> usize {
        block_on(suspects(platform)).unwrap().iter().count()
    }

    fn with_a_suspicion() -> MemoryPlatform {
        let platform = MemoryPlatform::new();
        let number = block_on(numbering::allocate(&platform, |number| number.to_string())).unwrap();
        block_on(suspect(&platform, number)).unwrap();
        platform
    }

    #[test]
    fn a_number_that_stays_unused_is_retired() {
        let platform = with_a_suspicion();
        assert_eq!(
            sweep(&platform, false),
            0,
            "its creation may be in progress"
        );
        assert_eq!(sweep_for_long(&platform), 1);
        assert_eq!(count(&platform), 0);
        assert_eq!(suspected(&platform), 0);
        assert!(block_on(platform.outbox.keys()).unwrap().is_empty());
    }

    #[test]
    fn the_suspicion_of_a_used_number_is_deleted_at_once() {
        let platform = with_a_suspicion();
        assert_eq!(sweep(&platform, true), 0);
        assert_eq!((suspected(&platform), count(&platform)), (0, 1));
        assert_eq!(sweep_for_long(&platform), 0);
    }

    /// A repeated request creates the aggregate while the sweep retires the number.
    #[test]
    fn a_number_that_is_used_while_it_is_retired_stays_in_the_pages() {
        let platform = with_a_suspicion();
        let is_created = std::cell::Cell::new(false);
        let exists = async |_| {
            let numbers = numbering::live_numbers(&platform).await?;
            is_created.set(is_created.get() || numbers.count() == 0);
            Ok::<_, StoreError>(is_created.get())
        };
        for _ in 0..30 {
            platform.advance(Duration::from_secs(5));
            let mut failures = SweepFailures::default();
            let backlog = block_on(Backlog::load(&platform, &[SUSPICION])).unwrap();
            block_on(super::sweep(&platform, &backlog, exists, &mut failures));
            failures.into_result(()).unwrap();
        }
        assert_eq!((suspected(&platform), count(&platform)), (0, 1));
    }

    /// The aggregate is deleted after the sweep has found it.
    #[test]
    fn a_number_that_is_deleted_while_its_suspicion_ends_leaves_the_pages() {
        for reads_before_deletion in 1..=2 {
            let platform = with_a_suspicion();
            let reads = std::cell::Cell::new(0);
            let exists = async |number| {
                reads.set(reads.get() + 1);
                let exists = reads.get() <= reads_before_deletion;
                if reads.get() == reads_before_deletion {
                    retire(&platform, number).await?;
                }
                Ok::<_, StoreError>(exists)
            };
            let mut failures = SweepFailures::default();
            let backlog = block_on(Backlog::load(&platform, &[SUSPICION])).unwrap();
            block_on(super::sweep(&platform, &backlog, exists, &mut failures));
            failures.into_result(()).unwrap();
            let is_found = (suspected(&platform), count(&platform));
            assert_eq!(
                is_found,
                (0, 0),
                "deleted after read {reads_before_deletion}"
            );
        }
    }

    /// A sweep dies at any call after it has retired the number, and the aggregate is created before the next one.
    #[test]
    fn a_used_number_of_an_interrupted_sweep_is_reinstated() {
        for calls in 0..12 {
            let platform = with_a_suspicion();
            for _ in 0..30 {
                platform.advance(Duration::from_secs(5));
                platform.state.fail_after(calls);
                let mut failures = SweepFailures::default();
                let backlog = block_on(Backlog::load(&platform, &[SUSPICION])).unwrap();
                let unused = async |_| Ok::<_, StoreError>(false);
                block_on(super::sweep(&platform, &backlog, unused, &mut failures));
                platform.state.recover();
                if count(&platform) == 0 {
                    break;
                }
            }
            let is_interrupted = suspected(&platform) == 1;
            sweep(&platform, true);
            assert_eq!(count(&platform), u64::from(is_interrupted), "{calls}");
        }
    }

    #[test]
    fn a_repeated_suspicion_keeps_its_age() {
        let platform = with_a_suspicion();
        let retired = (0..30).map(|_| {
            platform.advance(Duration::from_secs(5));
            block_on(suspect(&platform, 1)).unwrap();
            sweep(&platform, false)
        });
        assert!(retired.sum::<usize>() >= 1);
    }
}
