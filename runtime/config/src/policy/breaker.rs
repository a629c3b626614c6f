//! `breaker = { … }`: the circuit breaker of a link.
//!
//! By default the breaker opens when at least 20 calls ended within 10 seconds and half of them failed. The host decides
//! which calls count as failed; a manifest cannot change it.

use std::ops::RangeInclusive;
use std::time::Duration;

use resilience::breaker::{BreakerConfig, BreakerSettings, OpenDuration, SlowCalls, WindowSize};

use super::value::{MILLISECOND, SECOND, count, duration, duration_in, set};
use crate::document::{ConfigError, Table, Value};

/// The bounds of every duration except the window.
const DURATION_BOUNDS: RangeInclusive<Duration> = MILLISECOND..=Duration::from_secs(3600);

/// The default of `slow_after`, if `slow_rate` is set.
const DEFAULT_SLOW_AFTER: Duration = Duration::from_secs(1);

/// The default breaker of a link.
pub(super) fn default() -> BreakerConfig {
    // A test checks that these settings are valid.
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

/// Reads `false`, `true` or a table; missing keys are inherited from `inherited`.
///
/// # Errors
/// When a key is unknown, or when a value or a combination of values is invalid.
pub(super) fn read(
    inherited: Option<BreakerConfig>,
    written: Value,
) -> Result<Option<BreakerConfig>, ConfigError> {
    if !written.is_table() {
        let is_enabled = written.boolean()?.value;
        return Ok(is_enabled.then(|| inherited.unwrap_or_else(default)));
    }
    let mut settings = inherited.map_or_else(settings, |config| config.settings().clone());
    let mut table = written.table()?;
    overlay(&mut settings, &mut table)?;
    let at = table.at().clone();
    table.finish()?;
    BreakerConfig::new(settings).map(Some).map_err(|invalid| {
        let key = key_of(invalid.setting);
        at.child(key).error(
            invalid.value,
            "does not fit the other keys",
            invalid.expected,
        )
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
        duration(table, "open_duration", DURATION_BOUNDS)?,
    );
    set(
        &mut open_duration.max,
        duration(table, "max_open_duration", DURATION_BOUNDS)?,
    );
    open_duration.max = open_duration.max.max(open_duration.initial);
    set(
        &mut open_duration.jitter_percent,
        count(table, "open_jitter", 0..=90)?,
    );
    set(&mut settings.probes, count(table, "probes", 1..=1000)?);
    set(
        &mut settings.probe_timeout,
        duration(table, "probe_timeout", DURATION_BOUNDS)?,
    );
    Ok(())
}

/// Slow calls count only with a `slow_rate`.
fn slow_calls(settings: &mut BreakerSettings, table: &mut Table) -> Result<(), ConfigError> {
    let after = duration(table, "slow_after", DURATION_BOUNDS)?;
    let rate = count(table, "slow_rate", 1..=100)?;
    let inherited = settings.slow_calls;
    settings.slow_calls = match rate.or(inherited.map(|slow| slow.rate)) {
        Some(rate) => Some(SlowCalls {
            after: after
                .or(inherited.map(|slow| slow.after))
                .unwrap_or(DEFAULT_SLOW_AFTER),
            rate,
        }),
        None if after.is_some() => {
            return Err(table.missing(
                "slow_rate",
                "add the percentage of slow calls that opens the breaker",
            ));
        }
        None => None,
    };
    Ok(())
}

/// Reads a number of calls or a duration.
fn window(written: Value) -> Result<WindowSize, ConfigError> {
    if written.as_str().is_some() {
        return duration_in(&written, SECOND..=3600 * SECOND).map(WindowSize::Time);
    }
    let calls = written.integer()?;
    match u32::try_from(calls.value) {
        Ok(number) if (1..=100_000).contains(&number) => Ok(WindowSize::Calls(number)),
        _ => Err(calls.error(
            "out of bounds",
            "write a number of calls from 1 to 100000, or a duration such as \"10s\"",
        )),
    }
}

/// The key of a setting of the `resilience` crate.
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
