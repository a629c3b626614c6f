//! `runtime-config.toml`: the backends of stores and databases, and the providers of variables.
//!
//! The format and its path rules are those of Spin: the path of a key-value store is relative to this file, the path of a
//! database to the working directory. Without a file every label has an embedded store; stock Spin has one for `default`
//! only. A table that Spin supports and socar does not stops the start.

mod labels;
mod stores;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::document::{self, ConfigError, Table, Value};
use crate::manifest::{App, VariablesProvider};
use labels::{ConfiguredLabels, StoreKind};
use value::{absolute, count, memory, unsupported_type};

pub use stores::{KeyValueStore, SqliteDatabase};

/// A checked runtime configuration. The default is that of an absent file.
#[derive(Clone, Debug, Default)]
pub struct RuntimeConfig {
    /// The file that it was read from.
    pub file: Option<PathBuf>,
    /// `state_dir`, absolute.
    pub state_dir: Option<PathBuf>,
    /// `log_dir`, absolute.
    pub log_dir: Option<PathBuf>,
    /// `max_instance_memory`: the size limit of one linear memory of every component, in bytes.
    pub max_instance_memory: Option<usize>,
    /// `[key_value_store.<label>]`.
    pub key_value_stores: BTreeMap<String, KeyValueStore>,
    /// `[sqlite_database.<label>]`.
    pub sqlite_databases: BTreeMap<String, SqliteDatabase>,
    /// `[[variables_provider]]` in their order, for [`crate::manifest::Overrides`].
    pub variables_providers: Vec<VariablesProvider>,
    /// `[socar] redis_url`: the server of the event log and of the key-value stores, as `--redis-url` names it. Stock
    /// Spin refuses the table.
    pub redis_url: Option<String>,
    /// `[outbound_http]`.
    pub outbound_http: OutboundHttp,
    /// `[outbound_redis] max_connections`.
    pub outbound_redis_connections: Option<usize>,
    labels: ConfiguredLabels,
}

/// `[outbound_http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundHttp {
    /// Whether connections are reused. The default is on without the table, and off in the table, as in Spin.
    pub connection_pooling: bool,
    /// The maximum number of open connections; unlimited if absent.
    pub max_connections: Option<usize>,
}

/// Tables that Spin supports and socar does not: key and remedy.
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

impl Default for OutboundHttp {
    fn default() -> Self {
        Self {
            connection_pooling: true,
            max_connections: None,
        }
    }
}

impl RuntimeConfig {
    /// Whether the stores of a running host stay the same with this configuration.
    pub fn keeps_stores_of(&self, other: &Self) -> bool {
        self.state_dir == other.state_dir
            && self.redis_url == other.redis_url
            && self.key_value_stores == other.key_value_stores
            && self.sqlite_databases == other.sqlite_databases
    }

    /// Reads the file of `--runtime-config-file`; the default without a file, and for one that is absent.
    ///
    /// # Errors
    /// When the file is there and cannot be read, is malformed, or contains a table or type that socar does not support.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        match file {
            Some(file) if !Self::is_absent(file) => {
                let table = document::read(
                    file,
                    "name a file that exists, or leave --runtime-config-file out",
                )?;
                let read = Self::read(table, file)?;
                Ok(Self {
                    file: Some(file.to_owned()),
                    ..read
                })
            }
            None | Some(_) => Ok(Self::default()),
        }
    }

    /// Whether there is no file. The SpinKube operator always passes the flag, also without a file: without one in the Secret,
    /// Kubernetes mounts an empty directory there.
    pub fn is_absent(file: &Path) -> bool {
        file.is_dir() || !file.try_exists().unwrap_or(true)
    }

    /// Reads a configuration from a text; `file` is the path that relative paths and errors refer to.
    #[cfg(test)]
    pub(crate) fn from_text(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::read(document::parse(&file.display().to_string(), text)?, file)
    }

    fn read(root: Table, file: &Path) -> Result<Self, ConfigError> {
        // URLs hold passwords, and providers hold the values of secret variables.
        let mut root = root.confidential();
        for (key, remedy) in UNSUPPORTED {
            if let Some(table) = root.take_unlisted(key) {
                return Err(table
                    .at
                    .error_without_value("socar does not support this table of Spin's", remedy));
            }
        }
        let directory = absolute(file)
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        let mut config = Self {
            file: None,
            state_dir: read_directory(&mut root, "state_dir")?,
            log_dir: read_directory(&mut root, "log_dir")?,
            max_instance_memory: memory(&mut root, "max_instance_memory")?,
            ..Self::default()
        };
        for (label, store) in root.named("key_value_store")? {
            config
                .labels
                .add(&label, StoreKind::KeyValueStore, &store.at)?;
            config
                .key_value_stores
                .insert(label, KeyValueStore::read(store, &directory)?);
        }
        for (label, database) in root.named("sqlite_database")? {
            config
                .labels
                .add(&label, StoreKind::SqliteDatabase, &database.at)?;
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
        if let Some(mut table) = root.table("socar")? {
            let url = table.string("redis_url")?;
            config.redis_url = url.map(stores::checked_redis_url).transpose()?;
            table.finish()?;
        }
        if let Some(mut table) = root.table("outbound_redis")? {
            config.outbound_redis_connections = count(&mut table, "max_connections")?;
            table.finish()?;
        }
        root.finish()?;
        Ok(config)
    }

    /// Checks that no label is misspelt; otherwise the component would silently use another store.
    ///
    /// A label that is similar to none of the application's belongs to another application: configurations may be shared.
    ///
    /// # Errors
    /// When no component is granted a label that is similar to a granted label without a configuration.
    pub fn check_labels(&self, app: &App) -> Result<(), ConfigError> {
        self.labels.check(app)
    }
}

impl OutboundHttp {
    fn read(mut table: Table) -> Result<Self, ConfigError> {
        let outbound = Self {
            connection_pooling: table
                .boolean("connection_pooling")?
                .is_some_and(|pooling| pooling.value),
            max_connections: count(&mut table, "max_connections")?,
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
        _ => {
            return Err(unsupported_type(
                &kind,
                "variables provider",
                &["static", "env"],
            ));
        }
    };
    table.finish()?;
    Ok(provider)
}

/// Takes a directory. An empty path is invalid: Spin keeps the state in memory then, but the event log needs a directory.
fn read_directory(root: &mut Table, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
    match root.string(key)? {
        Some(path) if path.value.is_empty() => Err(path.error(
            "it names no directory",
            "name a directory, or remove the key for the default one",
        )),
        path => Ok(path.map(|path| absolute(Path::new(&path.value)))),
    }
}
