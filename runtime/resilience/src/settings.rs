//! Validation of settings.
//!
//! Every protection checks its settings once, when it is created. A running protection therefore never has an invalid
//! number.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use thiserror::Error;

/// A setting that is out of bounds, or that contradicts another one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{setting}` is {value}: {expected}")]
pub struct InvalidSetting {
    /// The name of the field.
    pub setting: &'static str,
    /// The value of the field.
    pub value: String,
    /// What a valid value is.
    pub expected: String,
}

impl InvalidSetting {
    pub(crate) fn new(
        setting: &'static str,
        value: impl Debug,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            setting,
            value: format!("{value:?}"),
            expected: expected.into(),
        }
    }
}

/// The maximum of every duration. A longer one is probably a mistake in the unit.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The minimum of every duration: the resolution of tokio's timers.
pub(crate) const MIN_DURATION: Duration = Duration::from_millis(1);

/// Checks that a value lies within bounds.
pub(crate) fn check_range<T: PartialOrd + Debug>(
    setting: &'static str,
    value: T,
    bounds: RangeInclusive<T>,
) -> Result<(), InvalidSetting> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (min, max) = bounds.into_inner();
    let expected = format!("it must lie between {min:?} and {max:?}");
    Err(InvalidSetting::new(setting, value, expected))
}

/// Checks that a duration lies between [`MIN_DURATION`] and [`MAX_DURATION`].
pub(crate) fn check_duration(setting: &'static str, value: Duration) -> Result<(), InvalidSetting> {
    check_range(setting, value, MIN_DURATION..=MAX_DURATION)
}

/// Checks that a percentage lies between 1 and 100.
pub(crate) fn check_percentage(setting: &'static str, value: u8) -> Result<(), InvalidSetting> {
    check_range(setting, value, 1..=100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_setting_names_the_valid_values() {
        let invalid = check_percentage("failure_rate", 101).unwrap_err();
        assert_eq!(
            invalid.to_string(),
            "`failure_rate` is 101: it must lie between 1 and 100"
        );
        let invalid = check_duration("queue_timeout", Duration::ZERO).unwrap_err();
        assert_eq!(
            invalid.to_string(),
            "`queue_timeout` is 0ns: it must lie between 1ms and 86400s"
        );
    }
}
