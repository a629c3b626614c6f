//! When a breaker opens, and when it closes again.
//!
//! [`BreakerSettings`] are plain numbers with defaults; a [`BreakerConfig`] is settings that were checked. A breaker can
//! only be created from a `BreakerConfig`.

use std::time::Duration;

use super::open_duration::OpenDuration;
use crate::settings::{InvalidSetting, check_duration, check_percentage, check_range};

/// The settings of a breaker. Start from `BreakerSettings::default()` and change single fields.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// The calls that count; older calls are forgotten.
    pub window: WindowSize,
    /// Number of calls in the window below which no rate opens the breaker; from 1 to the size of a window of calls, or
    /// to 1 000 000.
    pub minimum_calls: u32,
    /// Percentage of failed calls in the window that opens the breaker; from 1 to 100.
    pub failure_rate: Option<u8>,
    /// Slow calls in the window that open the breaker.
    pub slow_calls: Option<SlowCalls>,
    /// Number of consecutive failures that opens the breaker, whatever the window holds; from 1 to 100 000.
    pub consecutive_failures: Option<u32>,
    /// How long the breaker stays open.
    pub open_duration: OpenDuration,
    /// Number of probes that a half-open breaker lets through; from 1 to 1000.
    pub probes: u32,
    /// Time after which a half-open breaker opens again if probes have not ended; from 1 ms to 24 h.
    pub probe_timeout: Duration,
}

/// The size of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowSize {
    /// The most recent calls: from 1 to 100 000.
    Calls(u32),
    /// The calls of the last interval, which moves in steps of a tenth of its length; from 10 ms to 10 days.
    Time(Duration),
}

/// Which calls are slow, and how many of them open the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowCalls {
    /// The duration from which a call is slow; from 1 ms to 24 h.
    pub after: Duration,
    /// Percentage of slow calls in the window that opens the breaker; from 1 to 100.
    pub rate: u8,
}

/// Settings that were checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BreakerConfig(BreakerSettings);

// === impl BreakerSettings ===

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: WindowSize::Calls(100),
            minimum_calls: 20,
            failure_rate: Some(50),
            slow_calls: None,
            consecutive_failures: None,
            open_duration: OpenDuration::default(),
            probes: 3,
            probe_timeout: Duration::from_secs(10),
        }
    }
}

impl BreakerSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        self.window.check()?;
        let minimum = 1..=self.window.max_calls();
        check_range("minimum_calls", self.minimum_calls, minimum)?;
        check_range("probes", self.probes, 1..=1000)?;
        check_duration("probe_timeout", self.probe_timeout)?;
        self.open_duration.check()?;
        self.check_rules()
    }

    fn check_rules(&self) -> Result<(), InvalidSetting> {
        if let Some(rate) = self.failure_rate {
            check_percentage("failure_rate", rate)?;
        }
        if let Some(SlowCalls { after, rate }) = self.slow_calls {
            check_duration("slow_calls.after", after)?;
            check_percentage("slow_calls.rate", rate)?;
        }
        if let Some(failures) = self.consecutive_failures {
            check_range("consecutive_failures", failures, 1..=100_000)?;
        }
        match self.has_rule() {
            true => Ok(()),
            false => Err(InvalidSetting::new(
                "failure_rate",
                "absent",
                "set it, slow_calls or consecutive_failures; without a rule the breaker never opens",
            )),
        }
    }

    fn has_rule(&self) -> bool {
        self.failure_rate.is_some()
            || self.slow_calls.is_some()
            || self.consecutive_failures.is_some()
    }
}

// === impl WindowSize ===

impl WindowSize {
    fn check(self) -> Result<(), InvalidSetting> {
        match self {
            Self::Calls(calls) => check_range("window", calls, 1..=100_000),
            Self::Time(time) => check_duration("window", time / 10).map_err(|_| {
                InvalidSetting::new("window", time, "it must lie between 10ms and 10 days")
            }),
        }
    }

    fn max_calls(self) -> u32 {
        match self {
            Self::Calls(calls) => calls,
            Self::Time(_) => 1_000_000,
        }
    }
}

// === impl BreakerConfig ===

impl BreakerConfig {
    /// Checks settings.
    ///
    /// # Errors
    /// [`InvalidSetting`] if a setting is out of bounds, or if there is no rule that opens the breaker.
    pub fn new(settings: BreakerSettings) -> Result<Self, InvalidSetting> {
        settings.check().map(|()| Self(settings))
    }

    /// The checked settings.
    pub fn settings(&self) -> &BreakerSettings {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_default_settings_are_valid() {
        let config = BreakerConfig::new(BreakerSettings::default());
        assert_eq!(config, Ok(BreakerConfig::default()));
    }

    /// The setting that is rejected after this change of the default settings.
    fn rejected(change: impl FnOnce(&mut BreakerSettings)) -> &'static str {
        let mut settings = BreakerSettings::default();
        change(&mut settings);
        BreakerConfig::new(settings).unwrap_err().setting
    }

    #[test]
    fn a_setting_out_of_bounds_is_rejected_by_name() {
        let zero = Duration::ZERO;
        let window = |window| rejected(|it| it.window = window);
        assert_eq!(window(WindowSize::Calls(0)), "window");
        assert_eq!(window(WindowSize::Time(zero)), "window");
        assert_eq!(rejected(|it| it.minimum_calls = 0), "minimum_calls");
        assert_eq!(rejected(|it| it.minimum_calls = 101), "minimum_calls");
        assert_eq!(rejected(|it| it.failure_rate = Some(0)), "failure_rate");
        let slow = |after, rate| rejected(|it| it.slow_calls = Some(SlowCalls { after, rate }));
        assert_eq!(slow(zero, 50), "slow_calls.after");
        assert_eq!(slow(SECOND, 101), "slow_calls.rate");
        let consecutive = rejected(|it| it.consecutive_failures = Some(0));
        assert_eq!(consecutive, "consecutive_failures");
        assert_eq!(rejected(|it| it.probes = 0), "probes");
        assert_eq!(rejected(|it| it.probe_timeout = zero), "probe_timeout");
    }

    #[test]
    fn an_open_duration_out_of_bounds_is_rejected_by_name() {
        let open = |change: fn(&mut OpenDuration)| rejected(|it| change(&mut it.open_duration));
        assert_eq!(open(|it| it.initial = 120 * SECOND), "open_duration.max");
        let multiplier = open(|it| it.multiplier = f64::NAN);
        assert_eq!(multiplier, "open_duration.multiplier");
        let jitter = open(|it| it.jitter_percent = 100);
        assert_eq!(jitter, "open_duration.jitter_percent");
    }

    #[test]
    fn a_breaker_that_never_opens_is_rejected() {
        assert_eq!(rejected(|it| it.failure_rate = None), "failure_rate");
    }
}
