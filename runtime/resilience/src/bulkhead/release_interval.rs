//! The average time between two releases of a permit while all permits are in use.

use std::time::Duration;

use tokio::time::Instant;

/// Predicts how soon the next permit is released.
#[derive(Debug, Default)]
pub(super) struct ReleaseInterval {
    /// When the last free permit was acquired, or a permit was released after that. `None` before the first
    /// acquisition and after a change of the number of permits.
    since: Option<Instant>,
    /// Exponentially weighted moving average.
    average: Duration,
}

impl ReleaseInterval {
    /// The last free permit was acquired.
    pub fn start(&mut self) {
        self.since = Some(Instant::now());
    }

    /// A permit was released while all were in use.
    pub fn record(&mut self) {
        let now = Instant::now();
        if let Some(since) = self.since.replace(now) {
            self.average = self.average * 7 / 8 + (now - since) / 8;
        }
    }

    /// The number of permits has changed: the interval in progress is discarded.
    pub fn restart(&mut self) {
        self.since = None;
    }

    /// A little more than the average interval.
    pub fn expected(&self) -> Duration {
        self.average * 5 / 4
    }
}
