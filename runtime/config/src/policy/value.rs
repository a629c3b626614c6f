//! Numbers, times and amounts of memory as people write them, each within bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::KIB;
use crate::document::ConfigError;
use crate::document::{Table, Value};

const MIB: usize = 1024 * KIB;

/// Overwrites what was written.
pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// A whole number within bounds.
pub(super) fn count<T>(
    table: &mut Table,
    key: &'static str,
    bounds: RangeInclusive<i64>,
) -> Result<Option<T>, ConfigError>
where
    T: TryFrom<i64>,
{
    let Some(written) = table.integer(key)? else {
        return Ok(None);
    };
    let number = bounds
        .contains(&written.value)
        .then(|| T::try_from(written.value).ok())
        .flatten();
    number.map(Some).ok_or_else(|| {
        written.error(
            "out of bounds",
            format!("write a number from {} to {}", bounds.start(), bounds.end()),
        )
    })
}

/// A number with a unit of time, such as `"250ms"`.
pub(super) fn duration(
    table: &mut Table,
    key: &'static str,
    bounds: RangeInclusive<Duration>,
) -> Result<Option<Duration>, ConfigError> {
    match table.take(key) {
        Some(written) => duration_in(&written, bounds).map(Some),
        None => Ok(None),
    }
}

/// A time that stands where other things may stand too.
pub(super) fn duration_in(
    written: &Value,
    bounds: RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let value = with_unit(written, &UNITS, "5s")?.map(Duration::from_millis);
    within(value, &bounds).ok_or_else(|| {
        written.error(
            "out of bounds",
            format!(
                "write something from {:?} to {:?}",
                bounds.start(),
                bounds.end()
            ),
        )
    })
}

/// A number with a unit of memory, such as `"64MiB"`.
pub(super) fn bytes(
    table: &mut Table,
    key: &'static str,
    bounds: RangeInclusive<usize>,
) -> Result<Option<usize>, ConfigError> {
    match table.take(key) {
        Some(written) => bytes_in(&written, bounds).map(Some),
        None => Ok(None),
    }
}

/// An amount that must also fit into something else.
pub(super) fn bytes_in(
    written: &Value,
    bounds: RangeInclusive<usize>,
) -> Result<usize, ConfigError> {
    const UNITS: [(&str, u64); 6] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    let value = with_unit(written, &UNITS, "64MiB")?.and_then(|value| usize::try_from(value).ok());
    within(value, &bounds).ok_or_else(|| {
        written.error(
            "out of bounds",
            format!(
                "write something from {}KiB to {}MiB",
                bounds.start() / KIB,
                bounds.end() / MIB
            ),
        )
    })
}

/// The value in the smallest unit, or nothing if it is too large for a number.
fn with_unit(
    written: &Value,
    units: &[(&str, u64)],
    example: &str,
) -> Result<Option<u64>, ConfigError> {
    let text = written.as_str().unwrap_or_default().trim();
    let digits = text.len()
        - text
            .trim_start_matches(|letter: char| letter.is_ascii_digit())
            .len();
    let (number, unit) = text.split_at(digits);
    let known = units.iter().find(|(name, _)| *name == unit.trim());
    match (number.is_empty(), known) {
        (false, Some((_, factor))) => Ok(number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))),
        _ => {
            let units: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
            Err(written.error(
                "not a whole number with a unit",
                format!(
                    "write something like {example:?} (units: {})",
                    units.join(", ")
                ),
            ))
        }
    }
}

fn within<T: PartialOrd>(value: Option<T>, bounds: &RangeInclusive<T>) -> Option<T> {
    value.filter(|value| bounds.contains(value))
}
