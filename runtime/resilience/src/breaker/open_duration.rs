//! How long a breaker stays open.

use std::time::Duration;

use crate::settings::{InvalidSetting, MAX_DURATION, check_duration, check_range};

/// The duration of the open state. It grows with each opening in a row, up to a maximum.
///
/// The duration is shortened at random by up to `jitter_percent`, so that the breakers of many hosts do not all probe
/// a failing service at the same instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenDuration {
    /// The duration of the first opening; from 1 ms to 24 h.
    pub initial: Duration,
    /// The factor by which each further opening in a row is longer; from 1 to 10.
    pub multiplier: f64,
    /// The maximum duration; from `initial` to 24 h.
    pub max: Duration,
    /// The maximum reduction in percent; from 0 to 90.
    pub jitter_percent: u8,
}

impl Default for OpenDuration {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            multiplier: 2.0,
            max: Duration::from_secs(60),
            jitter_percent: 20,
        }
    }
}

impl OpenDuration {
    pub(super) fn check(self) -> Result<(), InvalidSetting> {
        check_duration("open_duration.initial", self.initial)?;
        check_duration("open_duration.max", self.max)?;
        let bounds = self.initial..=MAX_DURATION;
        check_range("open_duration.max", self.max, bounds)?;
        check_range("open_duration.multiplier", self.multiplier, 1.0..=10.0)?;
        check_range("open_duration.jitter_percent", self.jitter_percent, 0..=90)
    }

    /// The duration of an opening; `opening` is its number in a row, from 1, and `random` lies between 0 and 1.
    pub(super) fn randomized(self, opening: u32, random: f64) -> Duration {
        let exponent = i32::try_from(opening.saturating_sub(1)).unwrap_or(i32::MAX);
        let full = self.initial.as_secs_f64() * self.multiplier.powi(exponent);
        let full = full.min(self.max.as_secs_f64());
        let shortened = full * (1.0 - random * f64::from(self.jitter_percent) / 100.0);
        Duration::from_secs_f64(shortened).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_open_duration_doubles_up_to_its_maximum() {
        let open_duration = OpenDuration {
            jitter_percent: 0,
            ..OpenDuration::default()
        };
        for (opening, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            let duration = open_duration.randomized(opening, 0.5);
            assert_eq!(duration, Duration::from_secs(seconds));
        }
    }

    proptest! {
        #[test]
        fn jitter_only_shortens(opening in 1..100_u32, random in 0.0..1.0_f64, jitter_percent in 0..=90_u8) {
            let open_duration = OpenDuration { jitter_percent, ..OpenDuration::default() };
            let full = OpenDuration { jitter_percent: 0, ..open_duration }.randomized(opening, 0.0);
            let duration = open_duration.randomized(opening, random);
            prop_assert!(duration <= full && duration <= open_duration.max);
            let least = full.mul_f64(1.0 - f64::from(jitter_percent) / 100.0);
            prop_assert!(duration + Duration::from_nanos(1) >= least, "{duration:?} of {full:?}");
        }
    }
}
