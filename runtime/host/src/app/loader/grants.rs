//! Grants: what the manifest allows a component to reach, as open stores, copied files and resolved variables.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use metrics::counter;

use super::Loader;
use crate::capability::Grants;
use crate::outbound::Outbound;
use config::manifest::{App, Component};
use storage::database::Database;

/// The environment variable with the name of this host.
const HOST_VARIABLE: &str = "SOCAR_HOST";

impl Loader {
    /// Returns the embedded database when the component stores data in it: values or events.
    pub(super) fn history(&self, component: &Component, app: &App) -> Option<Arc<Database>> {
        let log = app.redis_address.as_deref();
        let publishes =
            log.is_some_and(|log| component.allowed_outbound_hosts.allows_url(log, "redis"));
        let keeps = publishes || !component.key_value_stores.is_empty();
        self.database.clone().filter(|_| keeps)
    }

    /// Returns the grants of a component, with its copied files.
    ///
    /// # Errors
    /// When a store cannot be opened.
    pub(super) fn grants(
        &mut self,
        component: &Component,
        outbound_http: Arc<Outbound>,
        files: Vec<(PathBuf, String)>,
    ) -> anyhow::Result<Grants> {
        let environment = self.environment(component);
        let stores = &mut self.stores;
        let key_value_stores = component.key_value_stores.iter();
        let databases = component.sqlite_databases.iter();
        Ok(Grants {
            component: component.id.as_str().into(),
            variables: component
                .variables
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            environment,
            files,
            key_value_stores: key_value_stores
                .map(|label| Ok((label.clone(), stores.key_value(label)?)))
                .collect::<anyhow::Result<_>>()?,
            databases: databases
                .map(|label| Ok((label.clone(), stores.database(label)?)))
                .collect::<anyhow::Result<_>>()?,
            missing: Arc::default(),
            allowed_hosts: component.allowed_outbound_hosts.clone(),
            outbound_http,
            redis: self.bus.clone(),
            host_calls: counter!("socar_host_calls_total", "component" => component.id.as_str().to_owned()),
            redis_grants: Arc::new(component.redis.clone()),
            memory: self.max_memory.unwrap_or(component.policy.memory),
            deadline: component.policy.deadline,
        })
    }

    /// The environment of a component, with the name of this host. Guests that compare times need to know whose clock they
    /// read: an age is the difference of two times of one clock.
    fn environment(&self, component: &Component) -> Vec<(String, String)> {
        let own = component.environment.clone().into_iter();
        let own = own.filter(|(name, _)| name != HOST_VARIABLE);
        own.chain([(HOST_VARIABLE.to_owned(), self.host.clone())])
            .collect()
    }

    /// Copies the granted files into a directory of the component, so that it cannot access any other file.
    ///
    /// # Errors
    /// When a file cannot be copied.
    pub(super) fn files(
        &self,
        component: &Component,
        directory: &Path,
    ) -> anyhow::Result<Vec<(PathBuf, String)>> {
        if component.files.is_empty() {
            return Ok(Vec::new());
        }
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot copy the files of component `{}`", component.id))?;
        component.files.copy_into(directory, &self.state_dir)?;
        Ok(vec![(directory.to_owned(), "/".to_owned())])
    }
}
