//! A breaker as an operator sees it: where it stands, and what went through it.

use std::time::Duration;

use super::transition::BreakerState;
use super::window::{WindowCounts, WindowEntry};

/// Everything there is to see of a breaker at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSnapshot {
    /// What it does with calls.
    pub state: BreakerState,
    /// For how long it has done so.
    pub since: Duration,
    /// How long it will go on refusing calls, if it does.
    pub retry_after: Option<Duration>,
    /// The window of a closed breaker; empty in every other state.
    pub window: WindowCounts,
    /// The failures in a row that a closed breaker has seen.
    pub consecutive_failures: u32,
    /// How often it opened without staying closed in between.
    pub openings: u32,
    /// What went through it since it was made.
    pub totals: CallTotals,
}

/// What went through a breaker since it was made. Every call is in exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// Went well, and in time.
    pub succeeded: u64,
    /// Went well, but slowly.
    pub slow: u64,
    /// Failed.
    pub failed: u64,
    /// Said nothing about the service.
    pub ignored: u64,
    /// Were refused.
    pub refused: u64,
}

// === impl Totals ===

impl CallTotals {
    pub(super) fn count(&mut self, mark: Option<WindowEntry>) {
        match mark {
            None => self.ignored += 1,
            Some(WindowEntry { failed: true, .. }) => self.failed += 1,
            Some(WindowEntry { slow: true, .. }) => self.slow += 1,
            Some(_) => self.succeeded += 1,
        }
    }
}
