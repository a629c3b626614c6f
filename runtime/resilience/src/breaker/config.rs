//! When a breaker opens, for how long, and what it takes to close it again.
//!
//! [`BreakerSettings`] are plain numbers with sensible defaults; a [`BreakerConfig`] is settings that were checked. Nothing but a
//! `BreakerConfig` makes a breaker.

use std::time::Duration;

use crate::settings::{InvalidSetting, check_duration, check_percentage, check_range};

/// What may be set. `BreakerSettings::default()` with a few fields changed is how one is written.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// The calls that count: everything older is forgotten.
    pub window: WindowSize,
    /// Rates are not looked at before so many calls are in the window.
    pub minimum_calls: u32,
    /// Opens when at least this many percent of the calls in the window failed.
    pub failure_rate: Option<u8>,
    /// Opens when too many calls in the window were slow.
    pub slow_calls: Option<SlowCalls>,
    /// Opens after this many failures in a row, whatever the window says.
    pub consecutive_failures: Option<u32>,
    /// How long it stays open.
    pub open_duration: OpenDuration,
    /// How many calls a half-open breaker lets through to find out.
    pub probes: u32,
    /// How long a half-open breaker waits for its probes; then it opens again.
    pub probe_timeout: Duration,
}

/// The size of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowSize {
    /// The last so many calls.
    Calls(u32),
    /// The calls of the last so long, in steps of a tenth of it.
    Time(Duration),
}

/// What is slow, and how much of it is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowCalls {
    /// A call that takes at least this long is slow.
    pub after: Duration,
    /// Opens when at least this many percent of the calls in the window were slow.
    pub rate: u8,
}

/// How long a breaker stays open: longer each time in a row, up to a cap.
///
/// The time is drawn from the last `jitter_percent` percent below the full one, so that the breakers of many hosts do not
/// all probe a sick service at the same instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenDuration {
    /// The first time.
    pub initial: Duration,
    /// What each further time is multiplied by.
    pub multiplier: f64,
    /// The cap.
    pub max: Duration,
    /// By how many percent it may be shortened at random.
    pub jitter_percent: u8,
}

/// Settings that were checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BreakerConfig(BreakerSettings);

// === impl Settings ===

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

impl BreakerSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        self.window.check()?;
        check_range(
            "minimum_calls",
            self.minimum_calls,
            1..=self.window.most_calls(),
        )?;
        check_range("probes", self.probes, 1..=1000)?;
        check_duration("probe_timeout", self.probe_timeout)?;
        self.open_duration.check()?;
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
        self.has_a_rule()
    }

    fn has_a_rule(&self) -> Result<(), InvalidSetting> {
        let rules = (
            self.failure_rate,
            self.slow_calls,
            self.consecutive_failures,
        );
        if rules == (None, None, None) {
            return Err(InvalidSetting::new(
                "failure_rate",
                "absent",
                "without it, slow_calls or consecutive_failures the breaker would never open",
            ));
        }
        Ok(())
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

    fn most_calls(self) -> u32 {
        match self {
            Self::Calls(calls) => calls,
            Self::Time(_) => 1_000_000,
        }
    }
}

// === impl OpenTime ===

impl OpenDuration {
    fn check(self) -> Result<(), InvalidSetting> {
        check_duration("open_duration.initial", self.initial)?;
        check_duration("open_duration.max", self.max)?;
        check_range(
            "open_duration.max",
            self.max,
            self.initial..=crate::settings::MAX_DURATION,
        )?;
        check_range("open_duration.multiplier", self.multiplier, 1.0..=10.0)?;
        check_range("open_duration.jitter_percent", self.jitter_percent, 0..=90)
    }

    /// The time to stay open when this is the `turn`th opening in a row (from 1), with luck between 0 and 1.
    pub(super) fn draw(self, turn: u32, luck: f64) -> Duration {
        let turn = i32::try_from(turn.saturating_sub(1)).unwrap_or(i32::MAX);
        let full = self.initial.as_secs_f64() * self.multiplier.powi(turn);
        let full = full.min(self.max.as_secs_f64());
        let shortened = full * (1.0 - luck * f64::from(self.jitter_percent) / 100.0);
        Duration::from_secs_f64(shortened).min(self.max)
    }
}

// === impl Config ===

impl BreakerConfig {
    /// Checks settings.
    ///
    /// # Errors
    /// When one of them makes no sense, or no rule is left that could open the breaker.
    pub fn new(settings: BreakerSettings) -> Result<Self, InvalidSetting> {
        settings.check().map(|()| Self(settings))
    }

    /// What was checked.
    pub fn settings(&self) -> &BreakerSettings {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_defaults_are_fine() {
        assert_eq!(
            BreakerConfig::new(BreakerSettings::default()),
            Ok(BreakerConfig::default())
        );
    }

    /// The setting that is refused after this change to good ones.
    fn refused(change: impl FnOnce(&mut BreakerSettings)) -> &'static str {
        let mut settings = BreakerSettings::default();
        change(&mut settings);
        BreakerConfig::new(settings).unwrap_err().setting
    }

    #[test]
    fn a_bad_number_is_refused_by_name() {
        let slow = |after, rate| Some(SlowCalls { after, rate });
        assert_eq!(refused(|it| it.window = WindowSize::Calls(0)), "window");
        assert_eq!(
            refused(|it| it.window = WindowSize::Time(Duration::ZERO)),
            "window"
        );
        assert_eq!(refused(|it| it.minimum_calls = 0), "minimum_calls");
        assert_eq!(refused(|it| it.minimum_calls = 101), "minimum_calls");
        assert_eq!(refused(|it| it.failure_rate = Some(0)), "failure_rate");
        assert_eq!(
            refused(|it| it.slow_calls = slow(Duration::ZERO, 50)),
            "slow_calls.after"
        );
        assert_eq!(
            refused(|it| it.slow_calls = slow(SECOND, 101)),
            "slow_calls.rate"
        );
        assert_eq!(
            refused(|it| it.consecutive_failures = Some(0)),
            "consecutive_failures"
        );
        assert_eq!(refused(|it| it.probes = 0), "probes");
        assert_eq!(
            refused(|it| it.probe_timeout = Duration::ZERO),
            "probe_timeout"
        );
        assert_eq!(
            refused(|it| it.open_duration.initial = 2 * SECOND * 60),
            "open_duration.max"
        );
        assert_eq!(
            refused(|it| it.open_duration.multiplier = f64::NAN),
            "open_duration.multiplier"
        );
        assert_eq!(
            refused(|it| it.open_duration.jitter_percent = 100),
            "open_duration.jitter_percent"
        );
    }

    #[test]
    fn a_breaker_that_could_never_open_is_refused() {
        assert_eq!(refused(|it| it.failure_rate = None), "failure_rate");
    }

    #[test]
    fn open_time_doubles_up_to_its_cap() {
        let open_duration = OpenDuration {
            jitter_percent: 0,
            ..OpenDuration::default()
        };
        for (turn, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            assert_eq!(open_duration.draw(turn, 0.5), Duration::from_secs(seconds));
        }
    }

    proptest! {
        #[test]
        fn jitter_only_ever_shortens(turn in 1..100_u32, luck in 0.0..1.0_f64, jitter in 0..=90_u8) {
            let open_duration = OpenDuration { jitter_percent: jitter, ..OpenDuration::default() };
            let full = OpenDuration { jitter_percent: 0, ..open_duration }.draw(turn, 0.0);
            let drawn = open_duration.draw(turn, luck);
            prop_assert!(drawn <= full && drawn <= open_duration.max);
            let least = full.mul_f64(1.0 - f64::from(jitter) / 100.0);
            prop_assert!(drawn + Duration::from_nanos(1) >= least, "{drawn:?} of {full:?}");
        }
    }
}
