//! Values that several tables of a runtime configuration contain.

use std::path::{Path, PathBuf};

use crate::document::{ConfigError, Located, Table, suggest};
use crate::policy::MEMORY_BOUNDS;

/// Takes a number from 0.
pub(super) fn count(table: &mut Table, key: &'static str) -> Result<Option<usize>, ConfigError> {
    let Some(number) = table.integer(key)? else {
        return Ok(None);
    };
    usize::try_from(number.value)
        .map(Some)
        .map_err(|_| number.error("it is negative", "write a number from 0"))
}

/// Takes the size limit of a linear memory, in bytes.
pub(super) fn memory(table: &mut Table, key: &'static str) -> Result<Option<usize>, ConfigError> {
    let Some(number) = table.integer(key)? else {
        return Ok(None);
    };
    let bytes = usize::try_from(number.value).ok();
    let bytes = bytes.filter(|bytes| MEMORY_BOUNDS.contains(bytes));
    bytes.map(Some).ok_or_else(|| {
        let bounds = MEMORY_BOUNDS;
        let (from, to) = (bounds.start(), bounds.end());
        number.error(
            "out of bounds",
            format!("write a number of bytes from {from} to {to}"),
        )
    })
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
