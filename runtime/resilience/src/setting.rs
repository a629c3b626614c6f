//! What is wrong with a setting, said so that whoever wrote it can mend it.
//!
//! Every protection checks its settings once, before it guards anything; a running one never meets a bad number.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use thiserror::Error;

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{setting}` is {given}: {right}")]
pub struct BadSetting {
    /// The name of the field.
    pub setting: &'static str,
    /// What it was set to.
    pub given: String,
    /// What would be right.
    pub right: String,
}

impl BadSetting {
    pub(crate) fn new(setting: &'static str, given: impl Debug, right: impl Into<String>) -> Self {
        Self {
            setting,
            given: format!("{given:?}"),
            right: right.into(),
        }
    }
}

/// The longest time that any setting may ask for: beyond it somebody mistook the unit.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest time that any setting may ask for: the resolution of the timers.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// Nothing, if the value lies within these bounds.
pub(crate) fn within<T: PartialOrd + Debug>(
    setting: &'static str,
    given: T,
    bounds: RangeInclusive<T>,
) -> Result<(), BadSetting> {
    if bounds.contains(&given) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(BadSetting::new(
        setting,
        given,
        format!("it must lie between {least:?} and {most:?}"),
    ))
}

/// Nothing, if the value is a time that a timer can keep.
pub(crate) fn a_time(setting: &'static str, given: Duration) -> Result<(), BadSetting> {
    within(setting, given, SHORTEST..=LONGEST)
}

/// Nothing, if the value is a share of a whole that is not empty.
pub(crate) fn a_percentage(setting: &'static str, given: u8) -> Result<(), BadSetting> {
    within(setting, given, 1..=100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_says_what_would_be_right() {
        let bad = a_percentage("failure_rate", 101).unwrap_err();
        assert_eq!(
            bad.to_string(),
            "`failure_rate` is 101: it must lie between 1 and 100"
        );
        let bad = a_time("wait", Duration::ZERO).unwrap_err();
        assert_eq!(
            bad.to_string(),
            "`wait` is 0ns: it must lie between 1ms and 86400s"
        );
    }
}
