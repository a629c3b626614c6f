//! How long to wait before trying again.

use std::time::Duration;

use crate::settings::{InvalidSetting, MAX_DURATION, check_duration, check_range};

/// Pauses that grow exponentially up to a cap, each drawn evenly between nothing and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    /// At most `attempts` further attempts after the first; the pause before the first of them is up to `first`, and
    /// each limit is twice the one before but never above `longest`.
    ///
    /// # Errors
    /// When a number is out of bounds or the pauses are not in order.
    pub fn new(first: Duration, longest: Duration, attempts: u32) -> Result<Self, InvalidSetting> {
        check_duration("backoff.first", first)?;
        check_range("backoff.longest", longest, first..=MAX_DURATION)?;
        check_range("attempts", attempts, 1..=100)?;
        Ok(Self {
            first,
            longest,
            attempts,
        })
    }

    /// Any number of further attempts; the pauses are limited as in [`Backoff::new`].
    pub const fn unlimited(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            attempts: u32::MAX,
        }
    }

    /// The pause before this further attempt (from 1), or nothing if there have been enough. `luck` lies between 0
    /// and 1.
    pub fn pause(&self, attempt: u32, luck: f64) -> Option<Duration> {
        (attempt <= self.attempts).then(|| self.delay(attempt, luck))
    }

    /// The pause before this further attempt (from 1), whatever the number of attempts. `luck` lies between 0 and 1.
    pub fn delay(&self, attempt: u32, luck: f64) -> Duration {
        self.limit(attempt).mul_f64(luck.clamp(0.0, 1.0))
    }

    fn limit(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn the_limit_of_a_pause_doubles_up_to_its_cap() {
        let backoff = Backoff::new(millis(100), millis(1000), 50).unwrap();
        for (attempt, limit) in [
            (1, 100),
            (2, 200),
            (3, 400),
            (4, 800),
            (5, 1000),
            (50, 1000),
        ] {
            assert_eq!(backoff.pause(attempt, 1.0), Some(millis(limit)));
            assert_eq!(
                backoff.pause(attempt, 0.0),
                Some(Duration::ZERO),
                "jitter is full"
            );
        }
        assert_eq!(backoff.pause(51, 1.0), None);
    }

    proptest! {
        #[test]
        fn no_pause_is_longer_than_its_limit(attempt in 1..=100_u32, luck in 0.0..1.0_f64, first in 1..5000_u64) {
            let backoff = Backoff::new(millis(first), millis(5000), 100).unwrap();
            let pause = backoff.pause(attempt, luck).unwrap();
            prop_assert!(pause <= millis(5000));
            prop_assert!(pause <= backoff.pause(attempt, 1.0).unwrap());
        }
    }

    #[test]
    fn pauses_out_of_order_are_refused() {
        let named =
            |first, longest, attempts| Backoff::new(first, longest, attempts).unwrap_err().setting;
        assert_eq!(named(Duration::ZERO, millis(1), 1), "backoff.first");
        assert_eq!(named(millis(2), millis(1), 1), "backoff.longest");
        assert_eq!(named(millis(1), millis(1), 0), "attempts");
    }
}
