//! LiveNumbers that a crash took: given out, then used by nobody.
//!
//! Whoever meets a number that leads nowhere cannot tell a crash from a creation that is under way.
//! So it only notes a key in the outbox store, and the sweep retires the number if nobody has
//! used it by a time when no call can still be about to. The ways of creation pay nothing for it.

use super::retire;
use crate::{Platform, Store, StoreError, outbox};
use std::time::Duration;

/// How old a key is before it is acted upon: longer than any call lives.
pub const ORPHANED_AFTER: Duration = Duration::from_secs(120);

/// The key prefix of suspicions in the outbox store.
const SUSPECT: &str = "lost/";

/// Notes that `number` leads nowhere at this moment. The first key counts.
///
/// # Errors
///
/// The store's silence. A reader need not mind: the next one suspects again.
pub async fn suspect<P: Platform>(platform: &P, number: u64) -> Result<(), StoreError> {
    let key = format!("{SUSPECT}{number}");
    if platform.outbox().exists(&key).await? {
        return Ok(());
    }
    let now = platform.now().as_millis().to_string();
    platform.outbox().set(&key, now.as_bytes()).await
}

/// Takes the suspects that still lead nowhere out of every page, and returns how many they were.
/// `exists` tells whether a number leads somewhere by now.
///
/// # Errors
///
/// The store's silence, and what `exists` says: the next sweep tries again.
pub async fn sweep<P: Platform, E: From<StoreError>>(
    platform: &P,
    exists: impl AsyncFn(u64) -> Result<bool, E>,
) -> Result<usize, E> {
    let mut retired = 0;
    for key in platform.outbox().keys().await? {
        let Some(number) = parse(&key) else {
            continue;
        };
        let age = outbox::age(platform, &key).await?;
        if age.is_none_or(|age| age < ORPHANED_AFTER) {
            continue;
        }
        if !exists(number).await? {
            retire(platform, number).await?;
            retired += 1;
        }
        platform.outbox().delete(&key).await?;
    }
    Ok(retired)
}

fn parse(key: &str) -> Option<u64> {
    key.strip_prefix(SUSPECT)?.parse().ok()
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

    fn with_a_suspect() -> MemoryPlatform {
        let platform = MemoryPlatform::new();
        let number = block_on(numbering::allocate(&platform)).unwrap();
        block_on(suspect(&platform, number)).unwrap();
        platform
    }

    #[test]
    fn a_number_that_leads_nowhere_for_long_is_retired() {
        let platform = with_a_suspect();
        assert_eq!(sweep(&platform, false), 0, "its creation may be under way");
        platform.advance(ORPHANED_AFTER);
        assert_eq!(sweep(&platform, false), 1);
        assert_eq!(count(&platform), 0);
        assert_eq!(sweep(&platform, false), 0);
    }

    #[test]
    fn a_number_that_was_used_meanwhile_is_no_suspect_any_more() {
        let platform = with_a_suspect();
        platform.advance(ORPHANED_AFTER);
        assert_eq!(sweep(&platform, true), 0);
        assert_eq!(sweep(&platform, false), 0);
        assert_eq!(count(&platform), 1);
    }

    #[test]
    fn meeting_a_suspect_again_does_not_make_it_younger() {
        let platform = with_a_suspect();
        platform.advance(ORPHANED_AFTER);
        block_on(suspect(&platform, 1)).unwrap();
        assert_eq!(sweep(&platform, false), 1);
    }
}
