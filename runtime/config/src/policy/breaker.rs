//! `breaker = { … }`: when the breaker of a link opens, and what it takes to close it again.
//!
//! The defaults never open in everyday business: at least twenty calls within ten seconds, half of which failed. What
//! counts as a failure is not for a manifest to say, see [`crate::link`].

use std::time::Duration;

use resilience::breaker::{BreakerConfig, BreakerSettings, OpenDuration, SlowCalls, WindowSize};

use super::value::{count, duration, duration_in, set};
use crate::document::ConfigError;
use crate::document::{Table, Value};

const SECOND: Duration = Duration::from_secs(1);

/// Below a minute: as long as the bounds of a wait that is worth announcing to a customer.
const TIMES: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(3600);

/// How slow a call is by default once a rate of slow calls matters.
const SLOW: Duration = Duration::from_secs(1);

/// The breaker of a link whose manifest says nothing.
pub(super) fn default() -> BreakerConfig {
    // Within bounds, as a test makes sure; settings that were not would fall back on those of the crate.
    BreakerConfig::new(settings()).unwrap_or_default()
}

fn settings() -> BreakerSettings {
    BreakerSettings {
        window: WindowSize::Time(10 * SECOND),
        open_duration: OpenDuration {
            max: 30 * SECOND,
            ..OpenDuration::default()
        },
        ..BreakerSettings::default()
    }
}

/// Reads `false`, `true` or a table over what was there before.
pub(super) fn read(
    before: Option<BreakerConfig>,
    written: Value,
) -> Result<Option<BreakerConfig>, ConfigError> {
    if !written.is_table() {
        let is_wanted = written.boolean()?.value;
        return Ok(is_wanted.then(|| before.unwrap_or_else(default)));
    }
    let mut settings = before.map_or_else(settings, |config| config.settings().clone());
    let mut table = written.table()?;
    overlay(&mut settings, &mut table)?;
    let at = table.at().clone();
    table.finish()?;
    BreakerConfig::new(settings).map(Some).map_err(|invalid| {
        let key = key_of(invalid.setting);
        at.child(key)
            .error(invalid.value, "makes no sense", invalid.expected)
    })
}

fn overlay(settings: &mut BreakerSettings, table: &mut Table) -> Result<(), ConfigError> {
    table.reject_renamed("open", "open_duration")?;
    table.reject_renamed("open_longest", "max_open_duration")?;
    table.reject_renamed("probe_patience", "probe_timeout")?;
    if let Some(written) = table.take("window") {
        settings.window = window(written)?;
    }
    set(
        &mut settings.minimum_calls,
        count(table, "minimum_calls", 1..=100_000)?,
    );
    if let Some(rate) = count(table, "failure_rate", 1..=100)? {
        settings.failure_rate = Some(rate);
    }
    if let Some(failures) = count(table, "consecutive_failures", 1..=100_000)? {
        settings.consecutive_failures = Some(failures);
    }
    slow_calls(settings, table)?;
    let open_duration = &mut settings.open_duration;
    set(
        &mut open_duration.initial,
        duration(table, "open_duration", TIMES)?,
    );
    set(
        &mut open_duration.max,
        duration(table, "max_open_duration", TIMES)?,
    );
    open_duration.max = open_duration.max.max(open_duration.initial);
    set(
        &mut open_duration.jitter_percent,
        count(table, "open_jitter", 0..=90)?,
    );
    set(&mut settings.probes, count(table, "probes", 1..=1000)?);
    set(
        &mut settings.probe_timeout,
        duration(table, "probe_timeout", TIMES)?,
    );
    Ok(())
}

/// Slow calls matter once a rate of them is given.
fn slow_calls(settings: &mut BreakerSettings, table: &mut Table) -> Result<(), ConfigError> {
    let after = duration(table, "slow_after", TIMES)?;
    let rate = count(table, "slow_rate", 1..=100)?;
    let before = settings.slow_calls;
    settings.slow_calls = match rate.or(before.map(|slow| slow.rate)) {
        Some(rate) => Some(SlowCalls {
            after: after.or(before.map(|slow| slow.after)).unwrap_or(SLOW),
            rate,
        }),
        None if after.is_some() => {
            return Err(table.missing("slow_rate", "say how many percent may be slow"));
        }
        None => None,
    };
    Ok(())
}

/// A number of calls, or a time.
fn window(written: Value) -> Result<WindowSize, ConfigError> {
    if written.as_str().is_some() {
        return duration_in(&written, SECOND..=3600 * SECOND).map(WindowSize::Time);
    }
    let calls = written.integer()?;
    match u32::try_from(calls.value) {
        Ok(number) if (1..=100_000).contains(&number) => Ok(WindowSize::Calls(number)),
        _ => Err(calls.error(
            "out of bounds",
            "write a number of calls from 1 to 100000, or a time such as \"10s\"",
        )),
    }
}

/// The key that sets what the crate calls so.
fn key_of(setting: &'static str) -> &'static str {
    match setting {
        "open_duration.initial" => "open_duration",
        "open_duration.max" => "max_open_duration",
        "open_duration.jitter_percent" => "open_jitter",
        "slow_calls.after" => "slow_after",
        "slow_calls.rate" => "slow_rate",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_bounds() {
        assert_eq!(
            BreakerConfig::new(settings()).unwrap().settings(),
            &settings()
        );
    }
}
