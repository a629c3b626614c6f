//! `fallback`: the answer of a link when the call fails.

use std::time::Duration;

use super::value::{SECOND, duration_in};
use crate::document::{ConfigError, Located, Value};

/// The answer of a link when the call fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// `"problem"`: a problem document with the reason, and `Retry-After` where a later call may succeed.
    #[default]
    Problem,
    /// `{ stale = "5m" }`: the last good answer to the same GET, marked as stale, if it is not older than this.
    Stale(Duration),
    /// `{ component = "…" }`: the answer of another component, marked as such.
    Component(Located<String>),
}

const REMEDY: &str = "write \"problem\", { stale = \"5m\" } or { component = \"<id>\" }";

impl Fallback {
    /// Reads the value of `fallback`.
    ///
    /// # Errors
    /// When it is none of the three forms, or when the duration is out of bounds.
    pub(super) fn read(written: Value) -> Result<Self, ConfigError> {
        if !written.is_table() {
            return match written.as_str() {
                Some("problem") => Ok(Self::Problem),
                _ => Err(written.error("there is no such fallback", REMEDY)),
            };
        }
        let mut table = written.table()?;
        let stale = table.take("stale");
        let component = table.string("component")?;
        let at = table.at().clone();
        table.finish()?;
        match (stale, component) {
            (Some(age), None) => duration_in(&age, SECOND..=24 * 3600 * SECOND).map(Self::Stale),
            (None, Some(component)) => Ok(Self::Component(component)),
            _ => Err(at.error_without_value("a fallback has exactly one key", REMEDY)),
        }
    }
}
