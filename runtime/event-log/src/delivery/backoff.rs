//! How long to wait before trying again: exponentially longer, with full jitter, so that what
//! failed together does not come back together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A pause that doubles with every failure, up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// The pause after one failure is up to `first`, and never above `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// A random pause after so many failures in a row.
    pub fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let limit = self.first.saturating_mul(1 << doublings).min(self.longest);
        limit.mul_f64(fraction())
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(30))
    }
}

/// Evenly between 0 and 1. The standard library seeds its hashers at random; this needs no more.
fn fraction() -> f64 {
    let random = RandomState::new().hash_one(0_u8) >> 11;
    random as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_differ() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let longest = |failures| (0..500).map(|_| backoff.pause(failures)).max().unwrap();
        for (failures, limit) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (5, 1600),
            (6, 2000),
            (900, 2000),
        ] {
            let limit = Duration::from_millis(limit);
            let seen = longest(failures);
            assert!(
                seen <= limit && seen > limit / 2,
                "{failures}: {seen:?} of {limit:?}"
            );
        }
        let shortest = (0..500).map(|_| backoff.pause(9)).min().unwrap();
        assert!(
            shortest < Duration::from_millis(200),
            "jitter is full: {shortest:?}"
        );
    }
}
