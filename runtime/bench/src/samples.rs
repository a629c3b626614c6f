//! Latency samples: all are kept, so that a percentile is a measured value and not an estimate.

use std::time::Duration;

/// Latencies in ascending order.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Sorts the measured latencies.
    pub fn new(mut measured: Vec<Duration>) -> Self {
        measured.sort_unstable();
        Self(measured)
    }

    /// Returns the number of samples.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest sample that at least `percent` of a hundred samples do not exceed (nearest rank).
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = (self.0.len() * usize::from(percent)).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// Returns the highest latency.
    pub fn max(&self) -> Option<Duration> {
        self.0.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(samples: impl IntoIterator<Item = u64>) -> Samples {
        Samples::new(samples.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_percentile_is_the_sample_of_the_nearest_rank() {
        // The standard example of the nearest-rank method.
        let samples = milliseconds([50, 15, 40, 35, 20]);
        for (percent, expected) in [(5, 15), (30, 20), (40, 20), (50, 35), (100, 50)] {
            assert_eq!(
                samples.percentile(percent),
                Some(Duration::from_millis(expected)),
                "{percent}"
            );
        }
    }

    #[test]
    fn one_slow_response_in_a_hundred_is_the_maximum_but_not_the_p99() {
        let samples = milliseconds((0..99).map(|_| 1).chain([900]));
        assert_eq!(samples.percentile(99), Some(Duration::from_millis(1)));
        assert_eq!(samples.max(), Some(Duration::from_millis(900)));
        let two = milliseconds((0..98).map(|_| 1).chain([900, 900]));
        assert_eq!(two.percentile(99), Some(Duration::from_millis(900)));
    }

    #[test]
    fn a_single_sample_is_every_percentile_and_no_sample_gives_none() {
        let one = milliseconds([7]);
        assert!(
            [0, 1, 50, 99, 100]
                .iter()
                .all(|percent| one.percentile(*percent) == one.max())
        );
        let none = milliseconds([]);
        assert_eq!(
            (none.count(), none.percentile(50), none.max()),
            (0, None, None)
        );
    }
}
