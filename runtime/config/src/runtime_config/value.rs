//! Values that several tables of a runtime configuration contain.

use std::path::{Path, PathBuf};

use crate::document::{ConfigError, Located, Table, suggest};

/// Takes a number from 0.
pub(super) fn count(table: &mut Table, key: &'static str) -> Result<Option<usize>, ConfigError> {
    let Some(number) = table.integer(key)? else {
        return Ok(None);
    };
    usize::try_from(number.value)
        .map(Some)
        .map_err(|_| number.error("it is negative", "write a number from 0"))
}

/// The absolute form of a path that is relative to the working directory.
pub(super) fn absolute(path: &Path) -> PathBuf {
    // Only an empty path has no absolute form.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The error for a `type` that socar does not support; `what` names what has the type.
pub(super) fn unsupported_type(kind: &Located<String>, what: &str, known: &[&str]) -> ConfigError {
    kind.error(
        format!("socar has no {what} of the type `{}`", kind.value),
        suggest(&kind.value, known.iter().copied(), ""),
    )
}
