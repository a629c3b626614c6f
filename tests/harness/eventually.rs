//! Waiting for what must come true, instead of sleeping and hoping.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what a healthy platform needs, because a test machine may be busy with a build.
const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Looks again and again until what was seen holds, and returns it.
///
/// # Panics
/// After thirty seconds, with the last value seen.
#[track_caller]
pub fn eventually<T: Debug>(mut look: impl FnMut() -> T, holds: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        let seen = look();
        if holds(&seen) {
            return seen;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "did not come true within {PATIENCE:?}; last seen: {seen:#?}"
        );
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
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
