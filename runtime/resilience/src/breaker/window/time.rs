//! A window of time: the calls of the last interval, in steps of a tenth of it.

use super::super::counts::{WindowCounts, WindowEntry};
use crate::timestamp::Timestamp;

/// A ring buffer of steps, each with the counts of the calls that ended during it.
#[derive(Debug)]
pub(in super::super) struct TimeWindow {
    steps: [WindowCounts; STEPS as usize],
    /// The length of one step in nanoseconds.
    step: u64,
    /// The number of the newest step, counted from the origin of the timestamps.
    newest: u64,
    counts: WindowCounts,
}

/// The number of steps of a window.
pub(super) const STEPS: u64 = 10;

impl TimeWindow {
    pub fn new(time: Timestamp) -> Self {
        Self {
            steps: [WindowCounts::default(); STEPS as usize],
            step: (nanoseconds(time) / STEPS).max(1),
            newest: 0,
            counts: WindowCounts::default(),
        }
    }

    pub fn add(&mut self, entry: WindowEntry, now: Timestamp) -> WindowCounts {
        self.advance(now);
        self.steps[(self.newest % STEPS) as usize].add(entry.into());
        self.counts.add(entry.into());
        self.counts
    }

    pub fn counts(&mut self, now: Timestamp) -> WindowCounts {
        self.advance(now);
        self.counts
    }

    /// Removes the steps that have expired. A timestamp that another thread took earlier changes nothing.
    fn advance(&mut self, now: Timestamp) {
        let number = nanoseconds(now) / self.step;
        let steps = number.saturating_sub(self.newest);
        for _ in 0..steps.min(STEPS) {
            self.newest += 1;
            let oldest = &mut self.steps[(self.newest % STEPS) as usize];
            self.counts.subtract(std::mem::take(oldest));
        }
        self.newest = self.newest.max(number);
    }
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
