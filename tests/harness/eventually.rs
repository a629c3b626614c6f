//! Waiting for what must come true, instead of sleeping and hoping.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what a healthy platform needs, because a test machine may be busy with a build.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// Looks again and again until what was seen holds, and returns it.
///
/// # Panics
/// After thirty seconds, with the last value seen.
#[track_caller]
pub fn eventually<T: Debug>(mut look: impl FnMut() -> T, holds: impl Fn(&T) -> bool) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        let seen = look();
        if holds(&seen) {
            return seen;
        }
        assert!(
            started.elapsed() < TIMEOUT,
            "did not come true within {TIMEOUT:?}; last seen: {seen:#?}"
        );
        thread::sleep(pause);
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_first_value_that_holds() {
        let mut count = 0;
        let seen = eventually(
            || {
                count += 1;
                count
            },
            |count| *count == 3,
        );
        assert_eq!(seen, 3);
    }
}
