//! Polls until a condition holds, in place of a sleep of a fixed length.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// Far longer than a healthy platform needs, because a build may run on the same machine.
const TIMEOUT: Duration = Duration::from_secs(60);
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// Calls `look` until its value satisfies `holds`, and returns that value.
///
/// # Panics
/// After a minute, with the last value.
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
