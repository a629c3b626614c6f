//! Values of policy keys, each within bounds: numbers, durations and sizes.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::{ConfigError, Table, Value};

pub(super) const KIB: usize = 1024;
pub(super) const MIB: usize = 1024 * KIB;
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// The units of a size, in bytes.
const SIZE_UNITS: [(&str, u64); 6] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Replaces `field` if there is a value.
pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Takes a whole number.
///
/// # Errors
/// When the value is not a whole number or out of bounds.
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

/// Takes a duration, such as `"250ms"`.
///
/// # Errors
/// When the value is not a duration or out of bounds.
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

/// Reads a duration.
///
/// # Errors
/// When the value is not a duration or out of bounds.
pub(super) fn duration_in(
    written: &Value,
    bounds: RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    let parsed = humantime::parse_duration(written.as_str().unwrap_or_default());
    let duration = parsed.map_err(|_| {
        written.error(
            "not a duration",
            "write a number with a unit, such as \"5s\" (units: ms, s, m, h, d)",
        )
    })?;
    match bounds.contains(&duration) {
        true => Ok(duration),
        false => {
            let [from, to] =
                [bounds.start(), bounds.end()].map(|it| humantime::format_duration(*it));
            Err(written.error(
                "out of bounds",
                format!("write a duration from {from} to {to}"),
            ))
        }
    }
}

/// Takes a size in bytes, such as `"64MiB"`.
///
/// # Errors
/// When the value is not a size or out of bounds.
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

/// Reads a size in bytes.
///
/// # Errors
/// When the value is not a size or out of bounds.
pub(super) fn bytes_in(
    written: &Value,
    bounds: RangeInclusive<usize>,
) -> Result<usize, ConfigError> {
    let text = written.as_str().unwrap_or_default().trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim());
    let (false, Some((_, factor))) = (number.is_empty(), unit) else {
        let units = SIZE_UNITS.map(|(name, _)| name).join(", ");
        return Err(written.error(
            "not a size",
            format!("write a whole number with a unit, such as \"64MiB\" (units: {units})"),
        ));
    };
    let number: Option<u64> = number.parse().ok();
    let size = number.and_then(|number| usize::try_from(number.checked_mul(*factor)?).ok());
    size.filter(|size| bounds.contains(size)).ok_or_else(|| {
        let (from, to) = (bounds.start() / KIB, bounds.end() / MIB);
        written.error(
            "out of bounds",
            format!("write a size from {from}KiB to {to}MiB"),
        )
    })
}
