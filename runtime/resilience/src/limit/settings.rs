//! The settings of an adaptive limit.

use std::time::Duration;

use crate::settings::{InvalidSetting, check_duration, check_range};

/// The settings of an adaptive limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitSettings {
    /// The limit at the start and after a pause; from `minimum` to `maximum`.
    pub initial: usize,
    /// The lowest limit; from 1 to 10 000. The baseline is measured while at most this many calls run, so the service
    /// must serve as many without queueing: the number of processors, for a service that computes.
    pub minimum: usize,
    /// The highest limit; from `minimum` to 100 000.
    pub maximum: usize,
    /// The highest tolerable average duration of calls, as a multiple of the baseline; from 1.1 to 100.
    pub tolerance: f64,
    /// The interval at which the limit is adapted; from 1 ms to 24 h.
    pub window: Duration,
    /// The number of calls that must end before the limit is adapted; from 1 to 100 000. Where calls take long, as many
    /// calls as the limit are enough.
    pub samples: u32,
    /// The time for which calls may take too long before the baseline is measured again, and the time without calls
    /// that counts as a pause; from 1 ms to 24 h.
    pub remeasure_after: Duration,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            initial: 20,
            minimum: 2,
            maximum: 500,
            tolerance: 2.0,
            window: Duration::from_millis(100),
            samples: 20,
            remeasure_after: Duration::from_secs(2),
        }
    }
}

impl LimitSettings {
    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        check_range("minimum", self.minimum, 1..=10_000)?;
        check_range("maximum", self.maximum, self.minimum..=100_000)?;
        check_range("initial", self.initial, self.minimum..=self.maximum)?;
        check_range("tolerance", self.tolerance, 1.1..=100.0)?;
        check_duration("window", self.window)?;
        check_range("samples", self.samples, 1..=100_000)?;
        check_duration("remeasure_after", self.remeasure_after)
    }
}
