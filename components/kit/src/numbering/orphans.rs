//! Orphans: numbers that were allocated and then left unused by a crash.
//!
//! A reader of a number without an aggregate cannot distinguish a crash from a creation in progress. It
//! therefore stores only a suspicion in the outbox store, and the sweep retires the number if it is still
//! unused when no call that might create the aggregate can be running any more. A creation itself
//! costs nothing more.

use super::retire;
use crate::{
    outbox,
    platform::Platform,
    store::{Store, StoreError},
};
use std::time::Duration;

/// Minimum age of a suspicion that a sweep acts on; it is longer than any call may run.
pub const ORPHANED_AFTER: Duration = Duration::from_secs(120);

/// Key prefix of the suspicions in the outbox store.
const SUSPICION: &str = "lost/";

/// Stores the suspicion that `number` is an orphan. A repeated suspicion keeps its first time.
///
/// # Errors
///
/// The store failed. A reader may ignore it: the next reader stores the suspicion.
pub async fn suspect<P: Platform>(platform: &P, number: u64) -> Result<(), StoreError> {
    let suspicion = format!("{SUSPICION}{number}");
    if platform.outbox().exists(&suspicion).await? {
        return Ok(());
    }
    let now = platform.now().as_millis().to_string();
    platform.outbox().set(&suspicion, now.as_bytes()).await
}

/// Retires the suspected numbers that are still unused, and returns how many it retired. `exists` returns
/// whether a number has an aggregate by now.
///
/// # Errors
///
/// The store failed, or `exists` did; the next sweep tries again.
pub async fn sweep<P: Platform, E: From<StoreError>>(
    platform: &P,
    exists: impl AsyncFn(u64) -> Result<bool, E>,
) -> Result<usize, E> {
    let mut retired = 0;
    for suspicion in platform.outbox().keys().await? {
        let Some(number) = suspected_number(&suspicion) else {
            continue;
        };
        let age = outbox::age(platform, &suspicion).await?;
        if age.is_none_or(|age| age < ORPHANED_AFTER) {
            continue;
        }
        if !exists(number).await? {
            retire(platform, number).await?;
            retired += 1;
        }
        platform.outbox().delete(&suspicion).await?;
    }
    Ok(retired)
}

fn suspected_number(suspicion: &str) -> Option<u64> {
    suspicion.strip_prefix(SUSPICION)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory::MemoryPlatform, numbering};
    use futures::executor::block_on;

    fn sweep(platform: &MemoryPlatform, exists: bool) -> usize {
        block_on(super::sweep::<_, StoreError>(platform, async |_| {
            Ok(exists)
        }))
        .unwrap()
    }

    fn count(platform: &MemoryPlatform) -> u64 {
        block_on(numbering::live_numbers(platform)).unwrap().count()
    }

    fn with_a_suspicion() -> MemoryPlatform {
        let platform = MemoryPlatform::new();
        let number = block_on(numbering::allocate(&platform)).unwrap();
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
        platform.advance(ORPHANED_AFTER);
        assert_eq!(sweep(&platform, false), 1);
        assert_eq!(count(&platform), 0);
        assert_eq!(sweep(&platform, false), 0);
    }

    #[test]
    fn the_suspicion_of_a_used_number_is_deleted() {
        let platform = with_a_suspicion();
        platform.advance(ORPHANED_AFTER);
        assert_eq!(sweep(&platform, true), 0);
        assert_eq!(sweep(&platform, false), 0);
        assert_eq!(count(&platform), 1);
    }

    #[test]
    fn a_repeated_suspicion_keeps_its_age() {
        let platform = with_a_suspicion();
        platform.advance(ORPHANED_AFTER);
        block_on(suspect(&platform, 1)).unwrap();
        assert_eq!(sweep(&platform, false), 1);
    }
}
