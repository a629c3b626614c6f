//! The error of an invalid setting, with the key, the value and the valid range.
//!
//! Every protection checks its settings once, before it guards anything; a running one never meets a bad number.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use thiserror::Error;

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{setting}` is {value}: {expected}")]
pub struct InvalidSetting {
    /// The name of the field.
    pub setting: &'static str,
    /// What it was set to.
    pub value: String,
    /// What would be right.
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

/// The longest time that any setting may ask for: a longer one is most likely a wrong unit.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest time that any setting may ask for: the resolution of the timers.
pub(crate) const MIN_DURATION: Duration = Duration::from_millis(1);

/// Nothing, if the value lies within these bounds.
pub(crate) fn check_range<T: PartialOrd + Debug>(
    setting: &'static str,
    value: T,
    bounds: RangeInclusive<T>,
) -> Result<(), InvalidSetting> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(InvalidSetting::new(
        setting,
        value,
        format!("it must lie between {least:?} and {most:?}"),
    ))
}

/// Nothing, if the value is a time that a timer can keep.
pub(crate) fn check_duration(setting: &'static str, value: Duration) -> Result<(), InvalidSetting> {
    check_range(setting, value, MIN_DURATION..=MAX_DURATION)
}

/// Nothing, if the value is a share of a whole that is not empty.
pub(crate) fn check_percentage(setting: &'static str, value: u8) -> Result<(), InvalidSetting> {
    check_range(setting, value, 1..=100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_says_what_would_be_right() {
        let invalid = check_percentage("failure_rate", 101).unwrap_err();
        assert_eq!(
            invalid.to_string(),
            "`failure_rate` is 101: it must lie between 1 and 100"
        );
        let invalid = check_duration("wait", Duration::ZERO).unwrap_err();
        assert_eq!(
            invalid.to_string(),
            "`wait` is 0ns: it must lie between 1ms and 86400s"
        );
    }
}
