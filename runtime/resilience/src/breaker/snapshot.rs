//! A breaker as an operator sees it.

use std::time::Duration;

use super::counts::{WindowCounts, WindowEntry};
use super::transition::BreakerState;

/// The state of a breaker at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSnapshot {
    /// The state.
    pub state: BreakerState,
    /// How long the breaker has been in this state.
    pub since: Duration,
    /// For how long calls are still rejected; `None` if they are not.
    pub retry_after: Option<Duration>,
    /// The window of a closed breaker; empty in every other state.
    pub window: WindowCounts,
    /// The number of consecutive failures of a closed breaker; 0 in every other state.
    pub consecutive_failures: u32,
    /// The number of openings in a row, without a closed state of sufficient length in between.
    pub openings: u32,
    /// The calls since the breaker was created.
    pub totals: CallTotals,
}

/// The number of calls since a breaker was created. Every call is in exactly one of the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// Calls that succeeded in time.
    pub succeeded: u64,
    /// Calls that succeeded, but were slow.
    pub slow: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls with an ignored outcome.
    pub ignored: u64,
    /// Calls that the breaker rejected.
    pub rejected: u64,
}

impl CallTotals {
    /// Counts a call that ended; `None` stands for an ignored outcome.
    pub(super) fn count(&mut self, entry: Option<WindowEntry>) {
        match entry {
            None => self.ignored += 1,
            Some(WindowEntry { failed: true, .. }) => self.failed += 1,
            Some(WindowEntry { slow: true, .. }) => self.slow += 1,
            Some(_) => self.succeeded += 1,
        }
    }
}
