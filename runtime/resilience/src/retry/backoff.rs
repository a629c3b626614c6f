//! The delay before a further attempt.

use std::time::Duration;

/// Exponential backoff with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
}

impl Backoff {
    /// A backoff whose delay is at most `initial` after the first failure. The limit doubles with each further failure,
    /// up to `max`.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max }
    }

    /// The longest delay.
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The delay after this number of consecutive failures, drawn evenly between zero and its limit.
    pub fn delay(&self, failures: u32) -> Duration {
        self.limit(failures).mul_f64(fastrand::f64())
    }

    fn limit(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        self.initial.saturating_mul(1 << doublings).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_maximum() {
        let millis = Duration::from_millis;
        let backoff = Backoff::new(millis(100), millis(2000));
        for (failures, limit) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (5, 1600),
            (6, 2000),
            (u32::MAX, 2000),
        ] {
            let delays = (0..500).map(|_| backoff.delay(failures));
            let longest = delays.max().unwrap();
            let limit = millis(limit);
            let is_expected = longest <= limit && longest > limit / 2;
            assert!(is_expected, "{failures}: {longest:?} of {limit:?}");
        }
    }

    #[test]
    fn the_delay_is_drawn_from_the_whole_interval() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1));
        let shortest = (0..500).map(|_| backoff.delay(1)).min().unwrap();
        assert!(shortest < Duration::from_millis(100), "{shortest:?}");
    }
}
