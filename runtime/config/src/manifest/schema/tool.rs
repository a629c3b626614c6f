//! `tool`: each table below it belongs to the program of its name.

use crate::document::{ConfigError, Table};

/// Takes the `tool.socar` table, and leaves the tables of other programs unread.
pub(super) fn read(owner: &mut Table) -> Result<Option<Table>, ConfigError> {
    match owner.table("tool")? {
        Some(mut tools) => tools.table("socar"),
        None => Ok(None),
    }
}
