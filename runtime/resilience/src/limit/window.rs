//! The calls that ended since the limit was last adapted.

use std::time::Duration;

use super::outcome::LimitOutcome;
use crate::timestamp::Timestamp;

/// An observed call in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeasuredCall {
    pub start: Timestamp,
    /// Whether at most the minimum limit of calls ran when it began.
    pub is_unloaded: bool,
}

/// The calls of one interval of adaptation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MeasurementWindow {
    pub start: Timestamp,
    /// The successful calls.
    pub all: CallAverage,
    /// Those of them that were unloaded.
    pub unloaded: CallAverage,
    /// Number of dropped calls.
    pub dropped: u32,
    /// Maximum number of calls that ran at the same time.
    pub max_running: usize,
}

/// A number of calls and their total duration.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallAverage {
    pub calls: u32,
    total_seconds: f64,
}

// === impl MeasuredCall ===

impl MeasuredCall {
    /// The same call, as if it had begun later by this time.
    pub fn later_by(self, time: Duration) -> Self {
        Self {
            start: self.start + time,
            ..self
        }
    }
}

// === impl MeasurementWindow ===

impl MeasurementWindow {
    pub fn starting(now: Timestamp, running: usize) -> Self {
        Self {
            start: now,
            max_running: running,
            ..Self::default()
        }
    }

    pub fn record(&mut self, call: MeasuredCall, outcome: LimitOutcome, now: Timestamp) {
        match outcome {
            LimitOutcome::Ignored => {}
            LimitOutcome::Dropped => self.dropped += 1,
            LimitOutcome::Success => {
                let duration = now.saturating_sub(call.start);
                self.all.add(duration);
                if call.is_unloaded {
                    self.unloaded.add(duration);
                }
            }
        }
    }

    /// Number of calls that say something about the load.
    pub fn ended(&self) -> u32 {
        self.all.calls + self.dropped
    }
}

// === impl CallAverage ===

impl CallAverage {
    fn add(&mut self, duration: Duration) {
        self.calls += 1;
        self.total_seconds += duration.as_secs_f64();
    }

    /// The average in seconds; `None` without a call.
    pub fn seconds(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.total_seconds / f64::from(self.calls))
    }
}
