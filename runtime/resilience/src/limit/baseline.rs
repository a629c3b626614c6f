//! The duration of a call that runs almost alone.

/// The baseline in seconds, once it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Baseline(Option<f64>);

/// The weight of a lower average. It is small, because the calls of one window may have been special.
const DECREASE_RATE: f64 = 0.2;

/// The weight of a higher average. It is smaller, because something else may have delayed the calls.
const INCREASE_RATE: f64 = 0.02;

impl Baseline {
    pub fn seconds(self) -> Option<f64> {
        self.0
    }

    /// Replaces the baseline by a measured one.
    pub fn set(&mut self, seconds: f64) {
        self.0 = Some(seconds);
    }

    /// Moves towards the average of calls that ran almost alone by chance.
    pub fn learn_from_unloaded(&mut self, average: f64) {
        let baseline = self.0.get_or_insert(average);
        let rate = match average < *baseline {
            true => DECREASE_RATE,
            false => INCREASE_RATE,
        };
        *baseline += (average - *baseline) * rate;
    }

    /// Moves down towards the average of all calls: no load makes calls faster than the baseline.
    pub fn learn_from_all(&mut self, average: f64) {
        if let Some(baseline) = &mut self.0 {
            *baseline += (average - *baseline).min(0.0) * DECREASE_RATE;
        }
    }
}
