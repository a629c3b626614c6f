//! Keys of Spin that socar does not support.

use crate::document::{ConfigError, Table};

/// Rejects a key, unless its value is an empty list or table.
///
/// # Errors
/// When the key has another value; `feature` and `remedy` appear in the error.
pub(super) fn reject_unsupported(
    table: &mut Table,
    key: &'static str,
    feature: &str,
    remedy: &str,
) -> Result<(), ConfigError> {
    match table.take_unlisted(key) {
        Some(value) if !value.is_empty() => {
            Err(value.error(format!("socar does not support {feature}"), remedy))
        }
        _ => Ok(()),
    }
}
