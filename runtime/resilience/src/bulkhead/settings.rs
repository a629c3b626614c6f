//! The settings of a bulkhead.

use std::time::Duration;

use crate::priority::Priority;
use crate::settings::{InvalidSetting, check_duration, check_range};

/// The settings of a bulkhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadSettings {
    /// Maximum number of calls that run at the same time; from 1 to 100 000.
    pub concurrency: usize,
    /// Maximum number of calls that wait for a permit; from 0 to 1 000 000.
    pub queue_capacity: usize,
    /// Maximum time that a call waits; from 1 ms to 24 h.
    pub queue_timeout: Duration,
    /// Number of priority levels; from 1 to [`Priority::MAX_LEVELS`]. A call with a higher [`Priority`] counts as one of
    /// the highest level.
    pub priority_levels: usize,
}

impl Default for BulkheadSettings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            queue_capacity: 256,
            queue_timeout: Duration::from_secs(1),
            priority_levels: 3,
        }
    }
}

impl BulkheadSettings {
    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        check_range("concurrency", self.concurrency, 1..=100_000)?;
        check_range("queue_capacity", self.queue_capacity, 0..=1_000_000)?;
        check_duration("queue_timeout", self.queue_timeout)?;
        let levels = 1..=Priority::MAX_LEVELS;
        check_range("priority_levels", self.priority_levels, levels)
    }
}
