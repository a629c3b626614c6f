//! Where SQLite creates its temporary files: the journals of statements that change many pages, and large sorts.
//!
//! SQLite creates them below `/var/tmp` or `/tmp`, which a container with a read-only root file system does not have, and a
//! statement that needs one then fails. They have no name as soon as they are open, so a process that is killed leaves none
//! behind.

use std::path::Path;
use std::sync::OnceLock;

use rusqlite::Connection;

use crate::statement_memory;

/// Lets SQLite create temporary files in this directory, for all databases of the process. Only the first call has an effect:
/// SQLite reads the name without a lock. If the directory is gone later, SQLite uses those of the system.
///
/// # Errors
/// If the directory is missing or not writable.
pub fn keep_in(directory: &Path) -> rusqlite::Result<()> {
    static WAS_SET: OnceLock<()> = OnceLock::new();
    if WAS_SET.set(()).is_err() {
        return Ok(());
    }
    let directory = directory.to_string_lossy();
    statement_memory::install();
    Connection::open_in_memory()?.pragma_update(None, "temp_store_directory", &*directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_directory_stays() {
        let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for directory in &directories {
            keep_in(directory.path()).unwrap();
        }
        let connection = Connection::open_in_memory().unwrap();
        let name = connection
            .pragma_query_value(None, "temp_store_directory", |row| row.get::<_, String>(0));
        assert_eq!(Path::new(&name.unwrap()), directories[0].path());
    }
}
