//! Spin's `runtime-config.toml`: where stores, databases and variables really come from.
//!
//! The format and its path rules are Spin's, oddities included: a key-value path is relative to this file, a database
//! path to the working directory. Without a file every label gets an embedded store, which stock Spin does for
//! `default` only. What Spin supports and socar does not is refused by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::document::{self, ConfigError, Located, Location, Table, Value, is_typo, suggest};
use crate::manifest::{App, VariablesProvider, check_label};

/// A checked runtime configuration; the default one is that of no file.
#[derive(Clone, Debug, Default)]
pub struct RuntimeConfig {
    /// `state_dir`, absolute.
    pub state_dir: Option<PathBuf>,
    /// `log_dir`, absolute.
    pub log_dir: Option<PathBuf>,
    /// `max_instance_memory`: bytes per linear memory, for every component.
    pub max_instance_memory: Option<usize>,
    /// `[key_value_store.<label>]`.
    pub key_value_stores: BTreeMap<String, KeyValueStore>,
    /// `[sqlite_database.<label>]`.
    pub sqlite_databases: BTreeMap<String, SqliteDatabase>,
    /// `[[variables_provider]]`, in their order; for [`crate::manifest::Overrides`].
    pub variables_providers: Vec<VariablesProvider>,
    /// `[outbound_http]`.
    pub outbound_http: OutboundHttp,
    /// `[outbound_redis] max_connections`.
    pub outbound_redis_connections: Option<usize>,
    labels: Vec<Label>,
}

/// Where a label is configured.
#[derive(Clone, Debug)]
struct Label {
    name: String,
    kind: Kind,
    at: Location,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    KeyValueStore,
    SqliteDatabase,
}

/// Where the entries of one label live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueStore {
    /// `type = "spin"`: an SQLite file in Spin's own layout, in memory without a path.
    Spin {
        /// The file, absolute if the configuration's own path is.
        path: Option<PathBuf>,
    },
    /// `type = "redis"`: raw keys, without any prefix.
    Redis {
        /// `redis://host:port/database`.
        url: String,
    },
}

/// Where the tables of one label live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqliteDatabase {
    /// `type = "spin"`: an SQLite file, in memory without a path.
    Spin {
        /// The file, absolute.
        path: Option<PathBuf>,
        /// Whether `ATTACH` may name files.
        allow_attach_file: bool,
    },
}

/// `[outbound_http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundHttp {
    /// Whether connections are kept for the next request. On without the table; in the table, Spin's default is off.
    pub connection_pooling: bool,
    /// How many connections may be open.
    pub max_connections: Option<usize>,
}

/// What Spin reads and socar does not: key and remedy.
const UNSUPPORTED: [(&str, &str); 6] = [
    (
        "llm_compute",
        "remove it, or run the application on stock Spin",
    ),
    (
        "outbound_networking",
        "remove it; `allowed_outbound_hosts` in the manifest says where components may connect",
    ),
    (
        "client_tls",
        "remove it, or run the application on stock Spin",
    ),
    (
        "outbound_pg",
        "remove it; socar offers spin:sqlite and spin:redis",
    ),
    (
        "outbound_mysql",
        "remove it; socar offers spin:sqlite and spin:redis",
    ),
    (
        "outbound_mqtt",
        "remove it; socar offers spin:sqlite and spin:redis",
    ),
];

/// The operator of SpinKube always passes this path, whether there is such a file or not.
const ALWAYS_PASSED: &str = "/runtime-config.toml";

impl Default for OutboundHttp {
    fn default() -> Self {
        Self {
            connection_pooling: true,
            max_connections: None,
        }
    }
}

impl RuntimeConfig {
    /// Whether everything that a running host has opened stays where it is.
    pub fn keeps_stores_of(&self, other: &Self) -> bool {
        self.state_dir == other.state_dir
            && self.key_value_stores == other.key_value_stores
            && self.sqlite_databases == other.sqlite_databases
    }

    /// Reads the file that `--runtime-config-file` names, if it does.
    ///
    /// # Errors
    /// When the file cannot be read, or says something that socar cannot do.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        match file {
            None => Ok(Self::default()),
            Some(file) if file == Path::new(ALWAYS_PASSED) && !file.exists() => Ok(Self::default()),
            Some(file) => {
                let table = document::read(
                    file,
                    "name a file that exists, or leave --runtime-config-file out",
                )?;
                Self::read(table, file)
            }
        }
    }

    /// Reads a configuration that is not (yet) a file; `file` is where it would be.
    ///
    /// # Errors
    /// As for [`RuntimeConfig::load`].
    pub fn from_text(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::read(document::parse(&file.display().to_string(), text)?, file)
    }

    fn read(mut root: Table, file: &Path) -> Result<Self, ConfigError> {
        for (key, remedy) in UNSUPPORTED {
            if let Some(table) = root.take_unlisted(key) {
                return Err(table
                    .at
                    .error_without_value("socar does not support this table of Spin's", remedy));
            }
        }
        let beside = absolute(file)
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        let mut config = Self {
            state_dir: read_directory(&mut root, "state_dir")?,
            log_dir: read_directory(&mut root, "log_dir")?,
            max_instance_memory: read_count(&mut root, "max_instance_memory")?,
            ..Self::default()
        };
        for (label, store) in root.named("key_value_store")? {
            config.add_label(&label, Kind::KeyValueStore, &store.at)?;
            config
                .key_value_stores
                .insert(label, KeyValueStore::read(store, &beside)?);
        }
        for (label, database) in root.named("sqlite_database")? {
            config.add_label(&label, Kind::SqliteDatabase, &database.at)?;
            config
                .sqlite_databases
                .insert(label, SqliteDatabase::read(database)?);
        }
        let mut providers = root.array("variables_provider")?;
        if let Some(older_name) = root.take_unlisted("config_provider") {
            providers.extend(older_name.array()?);
        }
        for provider in providers {
            config.variables_providers.push(read_provider(provider)?);
        }
        if let Some(table) = root.table("outbound_http")? {
            config.outbound_http = OutboundHttp::read(table)?;
        }
        if let Some(mut table) = root.table("outbound_redis")? {
            config.outbound_redis_connections = read_count(&mut table, "max_connections")?;
            table.finish()?;
        }
        root.finish()?;
        Ok(config)
    }

    /// Makes sure that no label is misspelt: the store that was meant would silently be another one.
    ///
    /// A label that looks like none of the application's is somebody else's; configurations may be shared.
    ///
    /// # Errors
    /// When a label is almost one that a component is granted and that is not configured.
    pub fn check_labels(&self, app: &App) -> Result<(), ConfigError> {
        for label in &self.labels {
            let granted = app
                .components
                .iter()
                .flat_map(|component| match label.kind {
                    Kind::KeyValueStore => &component.key_value_stores,
                    Kind::SqliteDatabase => &component.sqlite_databases,
                });
            let granted: Vec<&String> = granted.collect();
            let meant = granted
                .iter()
                .find(|name| !self.configures(label.kind, name) && is_typo(&label.name, name));
            if let (false, Some(meant)) = (granted.contains(&&label.name), meant) {
                return Err(label.at.error_without_value(
                    "no component is granted this label",
                    format!("did you mean `{meant}`, which is not configured?"),
                ));
            }
        }
        Ok(())
    }

    fn configures(&self, kind: Kind, name: &str) -> bool {
        self.labels
            .iter()
            .any(|label| label.kind == kind && label.name == name)
    }

    fn add_label(&mut self, name: &str, kind: Kind, at: &Location) -> Result<(), ConfigError> {
        check_label(name, at)?;
        self.labels.push(Label {
            name: name.to_owned(),
            kind,
            at: at.clone(),
        });
        Ok(())
    }
}

impl KeyValueStore {
    fn read(value: Value, beside: &Path) -> Result<Self, ConfigError> {
        let mut table = value.table()?;
        let kind = table.required_string("type", "write type = \"spin\" or type = \"redis\"")?;
        let store = match kind.value.as_str() {
            "spin" => Self::Spin {
                path: table.string("path")?.map(|path| beside.join(path.value)),
            },
            "redis" => Self::Redis {
                url: read_redis_url(&mut table)?,
            },
            _ => return Err(unsupported(&kind, "key-value store", &["spin", "redis"])),
        };
        table.finish()?;
        Ok(store)
    }
}

impl SqliteDatabase {
    fn read(value: Value) -> Result<Self, ConfigError> {
        let mut table = value.table()?;
        let kind = table.required_string("type", "write type = \"spin\"")?;
        if kind.value != "spin" {
            return Err(unsupported(&kind, "SQLite database", &["spin"]));
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

impl OutboundHttp {
    fn read(mut table: Table) -> Result<Self, ConfigError> {
        let outbound = Self {
            connection_pooling: table
                .boolean("connection_pooling")?
                .is_some_and(|pooling| pooling.value),
            max_connections: read_count(&mut table, "max_connections")?,
        };
        table.finish()?;
        Ok(outbound)
    }
}

fn read_provider(value: Value) -> Result<VariablesProvider, ConfigError> {
    let mut table = value.table()?;
    let kind = table.required_string("type", "write type = \"static\" or type = \"env\"")?;
    let provider = match kind.value.as_str() {
        "static" => {
            let values = table.named_strings("values")?;
            VariablesProvider::Static(
                values
                    .into_iter()
                    .map(|(name, value)| (name, value.value))
                    .collect(),
            )
        }
        "env" => VariablesProvider::Environment {
            prefix: table
                .string("prefix")?
                .map_or_else(|| "SPIN_VARIABLE".to_owned(), |prefix| prefix.value),
            dotenv: table
                .string("dotenv_path")?
                .map(|path| PathBuf::from(path.value)),
        },
        _ => return Err(unsupported(&kind, "variables provider", &["static", "env"])),
    };
    table.finish()?;
    Ok(provider)
}

fn read_redis_url(table: &mut Table) -> Result<String, ConfigError> {
    let url = table.required_string("url", "add url = \"redis://host:port/0\"")?;
    match url.value.starts_with("redis://") || url.value.starts_with("rediss://") {
        true => Ok(url.value),
        false => Err(url.error("not a Redis address", "write redis://host:port/database")),
    }
}

/// An empty path means "nowhere" to Spin, which keeps state in memory then; our event log needs a place.
fn read_directory(root: &mut Table, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
    match root.string(key)? {
        Some(path) if path.value.is_empty() => Err(path.error(
            "it names no directory",
            "name one, or remove the key for the usual one",
        )),
        path => Ok(path.map(|path| absolute(Path::new(&path.value)))),
    }
}

fn read_count(table: &mut Table, key: &'static str) -> Result<Option<usize>, ConfigError> {
    let Some(number) = table.integer(key)? else {
        return Ok(None);
    };
    usize::try_from(number.value)
        .map(Some)
        .map_err(|_| number.error("it is negative", "write a number from 0"))
}

fn unsupported(kind: &Located<String>, what: &str, known: &[&str]) -> ConfigError {
    kind.error(
        format!("socar has no such {what}"),
        suggest(&kind.value, known.iter().copied(), ""),
    )
}

fn absolute(path: &Path) -> PathBuf {
    // Only an empty path has no absolute form.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
