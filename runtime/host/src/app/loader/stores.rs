//! Maps each store label to its backend: the runtime configuration takes precedence, then `--redis-url`, then the state
//! directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::backends::Backends;
use crate::capability::sqlite::database::{FileAttachment, GuestDatabase};
use crate::generation::OpenStores;
use crate::store::history::Cell;
use crate::store::{HistoryStore, KeyValue, OrderedStore, RedisStore, SqliteStore};
use config::manifest::Component;
use config::policy::EventDelivery;
use config::runtime_config::{KeyValueStore, RuntimeConfig, SqliteDatabase};
use storage::database::Database;
use storage::redis_client::RedisClient;

/// Where a file keeps the marks of its stores ([`HistoryStore`]). No label of a component has a dot.
const MARKS: &str = "socar.marks";

/// Where the database of the log keeps what it knows of the marks.
const RECORDS: &str = "socar.log.stores";

/// Opens each store and database once and shares it between components.
pub struct Stores {
    config: RuntimeConfig,
    state: PathBuf,
    embedded: Arc<Database>,
    redis: Option<Arc<RedisClient>>,
    files: BTreeMap<PathBuf, Arc<Database>>,
    open: OpenStores,
}

impl Stores {
    /// Creates the registry; stores are opened on first use.
    pub fn new(config: RuntimeConfig, state: PathBuf, backends: &Backends) -> Self {
        Self {
            config,
            state,
            embedded: backends.database.clone(),
            redis: backends.redis.clone(),
            files: BTreeMap::new(),
            open: OpenStores::default(),
        }
    }

    /// Returns everything that was opened.
    pub fn open(&self) -> OpenStores {
        self.open.clone()
    }

    /// Returns the key-value store with this label; opens it when needed.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn key_value(&mut self, label: &str) -> anyhow::Result<Arc<dyn KeyValue>> {
        if let Some(store) = self.open.key_value.get(label) {
            return Ok(store.clone());
        }
        let store = self
            .open_key_value(label)
            .with_context(|| format!("cannot open the key-value store `{label}`"))?;
        self.open.key_value.insert(label.to_owned(), store.clone());
        Ok(store)
    }

    /// Returns the SQLite database with this label; opens it when needed.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn database(&mut self, label: &str) -> anyhow::Result<Arc<GuestDatabase>> {
        if let Some(database) = self.open.databases.get(label) {
            return Ok(database.clone());
        }
        let database = match self.config.sqlite_databases.get(label) {
            Some(SqliteDatabase::Spin {
                path: Some(path),
                allow_attach_file: true,
            }) => GuestDatabase::open(path, FileAttachment::Allowed),
            Some(SqliteDatabase::Spin {
                path: Some(path), ..
            }) => GuestDatabase::open(path, FileAttachment::Denied),
            Some(SqliteDatabase::Spin { path: None, .. }) => GuestDatabase::in_memory(label),
            None => {
                let path = self.state.join("sqlite").join(format!("{label}.db"));
                GuestDatabase::open_batched(&path, self.embedded.fence().clone())
            }
        };
        let database = database.with_context(|| {
            format!(
                "cannot open the SQLite database `{label}`: if its file is damaged, remove it or restore it; a read model is \
                 then made anew"
            )
        })?;
        self.open
            .databases
            .insert(label.to_owned(), database.clone());
        Ok(database)
    }

    /// Returns the databases in which a component keeps what it derives from the events that each host gets.
    ///
    /// # Errors
    /// When a database cannot be opened.
    pub fn read_models(
        &mut self,
        component: &Component,
    ) -> anyhow::Result<Vec<Arc<GuestDatabase>>> {
        match component.policy.events {
            EventDelivery::Shared => Ok(Vec::new()),
            EventDelivery::EachHost => {
                let labels = component.sqlite_databases.iter();
                labels.map(|label| self.database(label)).collect()
            }
        }
    }

    fn open_key_value(&mut self, label: &str) -> anyhow::Result<Arc<dyn KeyValue>> {
        let configured = self.config.key_value_stores.get(label).cloned();
        match (configured, &self.redis) {
            (None, None) => Ok(Arc::new(SqliteStore::open(self.embedded.clone(), label)?)),
            (None, Some(redis)) => Ok(Arc::new(RedisStore::labelled(redis.clone(), label))),
            (Some(KeyValueStore::Redis { url }), _) => {
                let store = Arc::new(RedisStore::raw(RedisClient::new(&url)?));
                let mark = Cell {
                    store: self.ordered(store.clone()),
                    key: RedisStore::mark_key(label),
                };
                self.with_history(label, store, mark)
            }
            (Some(KeyValueStore::Spin { path: Some(path) }), _) => {
                let file = self.file(&path)?;
                let mark = Cell {
                    store: self.ordered(Arc::new(SqliteStore::open(file.clone(), MARKS)?)),
                    key: label.to_owned(),
                };
                self.with_history(label, Arc::new(SqliteStore::open(file, label)?), mark)
            }
            (Some(KeyValueStore::Spin { path: None }), _) => {
                let store = SqliteStore::open(Database::in_memory()?, label)?;
                Ok(self.ordered(Arc::new(store)))
            }
        }
    }

    /// A store that is not in the database of the log, which it is compared with.
    fn with_history(
        &self,
        label: &str,
        store: Arc<dyn KeyValue>,
        mark: Cell,
    ) -> anyhow::Result<Arc<dyn KeyValue>> {
        let record = match &self.redis {
            Some(redis) => Cell {
                store: Arc::new(RedisStore::raw(redis.clone())),
                key: format!("{RECORDS}:{label}"),
            },
            None => Cell {
                store: Arc::new(SqliteStore::open(self.embedded.clone(), RECORDS)?),
                key: label.to_owned(),
            },
        };
        let store = self.ordered(store);
        Ok(Arc::new(HistoryStore::new(label, store, mark, record)))
    }

    /// A store whose writes keep the order with those to the embedded database.
    fn ordered(&self, store: Arc<dyn KeyValue>) -> Arc<dyn KeyValue> {
        match self.redis {
            // With Redis, no write of a component is in the embedded file, so no order has to be kept.
            Some(_) => store,
            None => Arc::new(OrderedStore::new(store, self.embedded.clone())),
        }
    }

    fn file(&mut self, path: &Path) -> anyhow::Result<Arc<Database>> {
        if let Some(file) = self.files.get(path) {
            return Ok(file.clone());
        }
        let file = Database::open_shared(path)?;
        self.files.insert(path.to_owned(), file.clone());
        Ok(file)
    }
}
