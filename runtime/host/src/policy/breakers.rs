//! `breaker = { … }`: when the breaker of a link opens, and what it takes to close it again.
//!
//! The defaults never open in everyday business: at least twenty calls within ten seconds, half of which failed. What
//! counts as a failure is not for a manifest to say, see [`crate::link`].

use std::time::Duration;

use resilience::breaker::{Config, OpenTime, Settings, SlowCalls, WindowSize};

use super::value::{count, duration, duration_in, set};
use crate::manifest::ConfigError;
use crate::manifest::document::{Table, Value};

const SECOND: Duration = Duration::from_secs(1);

/// Below a minute: as long as the bounds of a wait that is worth announcing to a customer.
const TIMES: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(3600);

/// How slow a call is by default once a rate of slow calls matters.
const SLOW: Duration = Duration::from_secs(1);

/// The breaker of a link whose manifest says nothing.
pub(super) fn default() -> Config {
    // Within bounds, as a test makes sure; settings that were not would fall back on those of the crate.
    Config::new(settings()).unwrap_or_default()
}

fn settings() -> Settings {
    Settings {
        window: WindowSize::Time(10 * SECOND),
        open_time: OpenTime {
            longest: 30 * SECOND,
            ..OpenTime::default()
        },
        ..Settings::default()
    }
}

/// Reads `false`, `true` or a table over what was there before.
pub(super) fn read(before: Option<Config>, written: Value) -> Result<Option<Config>, ConfigError> {
    if !written.is_table() {
        let is_wanted = written.boolean()?.value;
        return Ok(is_wanted.then(|| before.unwrap_or_else(default)));
    }
    let mut settings = before.map_or_else(settings, |config| config.settings().clone());
    let mut table = written.table()?;
    overlay(&mut settings, &mut table)?;
    let at = table.at().clone();
    table.finish()?;
    Config::new(settings).map(Some).map_err(|bad| {
        let key = key_of(bad.setting);
        at.below(key).error(bad.given, "makes no sense", bad.right)
    })
}

fn overlay(settings: &mut Settings, table: &mut Table) -> Result<(), ConfigError> {
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
    let open_time = &mut settings.open_time;
    set(&mut open_time.first, duration(table, "open", TIMES)?);
    set(
        &mut open_time.longest,
        duration(table, "open_longest", TIMES)?,
    );
    open_time.longest = open_time.longest.max(open_time.first);
    set(&mut open_time.jitter, count(table, "open_jitter", 0..=90)?);
    set(&mut settings.probes, count(table, "probes", 1..=1000)?);
    set(
        &mut settings.probe_patience,
        duration(table, "probe_patience", TIMES)?,
    );
    Ok(())
}

/// Slow calls matter once a rate of them is given.
fn slow_calls(settings: &mut Settings, table: &mut Table) -> Result<(), ConfigError> {
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
        "open_time.first" => "open",
        "open_time.longest" => "open_longest",
        "open_time.jitter" => "open_jitter",
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
        assert_eq!(Config::new(settings()).unwrap().settings(), &settings());
    }
}
