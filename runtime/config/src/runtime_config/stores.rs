//! `[key_value_store.<label>]` and `[sqlite_database.<label>]`: the backend of each label.

use std::path::{Path, PathBuf};

use super::value::{absolute, unsupported_type};
use crate::document::{ConfigError, Located, Table, Value};
use crate::redis_url;

/// The backend of a key-value store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueStore {
    /// `type = "spin"`: an SQLite file in the layout of Spin; in memory without a path.
    Spin {
        /// The file; absolute if the path of the configuration is.
        path: Option<PathBuf>,
    },
    /// `type = "redis"`: the keys of a Redis database, without a prefix.
    Redis {
        /// `redis://host:port/database`.
        url: String,
    },
}

/// The backend of an SQLite database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqliteDatabase {
    /// `type = "spin"`: an SQLite file; in memory without a path.
    Spin {
        /// The file, absolute.
        path: Option<PathBuf>,
        /// Whether `ATTACH` may name files.
        allow_attach_file: bool,
    },
}

impl KeyValueStore {
    /// Reads the table of a label; a relative path starts in `directory`.
    pub(super) fn read(value: Value, directory: &Path) -> Result<Self, ConfigError> {
        let mut table = value.table()?;
        let kind = table.required_string("type", "write type = \"spin\" or type = \"redis\"")?;
        let store = match kind.value.as_str() {
            "spin" => Self::Spin {
                path: table.string("path")?.map(|path| directory.join(path.value)),
            },
            "redis" => Self::Redis {
                url: read_redis_url(&mut table)?,
            },
            _ => {
                return Err(unsupported_type(
                    &kind,
                    "key-value store",
                    &["spin", "redis"],
                ));
            }
        };
        table.finish()?;
        Ok(store)
    }
}

impl SqliteDatabase {
    /// Reads the table of a label; a relative path starts in the working directory.
    pub(super) fn read(value: Value) -> Result<Self, ConfigError> {
        let mut table = value.table()?;
        let kind = table.required_string("type", "write type = \"spin\"")?;
        if kind.value != "spin" {
            return Err(unsupported_type(&kind, "SQLite database", &["spin"]));
        }
        let database = Self::Spin {
            path: table
                .string("path")?
                .map(|path| absolute(Path::new(&path.value))),
            allow_attach_file: table
                .boolean("allow_attach_file")?
                .is_some_and(|allow| allow.value),
        };
        table.finish()?;
        Ok(database)
    }
}

fn read_redis_url(table: &mut Table) -> Result<String, ConfigError> {
    let url = table.required_string("url", "add url = \"redis://host:port/0\"")?;
    checked_redis_url(url)
}

/// The address of a Redis server in the runtime configuration.
pub(super) fn checked_redis_url(url: Located<String>) -> Result<String, ConfigError> {
    match redis_url::check(&url.value) {
        Ok(()) => Ok(url.value),
        Err(cause) => Err(url.error(
            format!("not a Redis address: {cause}"),
            "write redis://host:port/database, or rediss:// for TLS",
        )),
    }
}
