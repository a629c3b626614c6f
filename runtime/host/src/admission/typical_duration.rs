//! The duration that a call typically takes, waits for remote hosts included.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The weight of a new duration is one of so many.
const WEIGHT: u64 = 8;

/// A moving average of the durations of successful calls, shared by all of them.
#[derive(Debug, Default)]
pub struct TypicalDuration(AtomicU64);

// === impl TypicalDuration ===

impl TypicalDuration {
    /// Adds the duration of a call.
    pub fn record(&self, duration: Duration) {
        let duration = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / WEIGHT);
        let average = |before: u64| match before {
            0 => duration,
            before => before - before / WEIGHT + duration / WEIGHT,
        };
        self.0.update(Ordering::Relaxed, Ordering::Relaxed, average);
    }

    /// The average; zero before the first call.
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_follows_the_durations() {
        let typical = TypicalDuration::default();
        assert_eq!(typical.get(), Duration::ZERO);
        typical.record(Duration::from_millis(100));
        assert_eq!(typical.get(), Duration::from_millis(100));
        for _ in 0..100 {
            typical.record(Duration::from_millis(10));
        }
        assert!(typical.get() < Duration::from_millis(11));
    }
}
