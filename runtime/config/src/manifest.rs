//! `spin.toml` and everything that decides what it means: a text goes in, a checked [`App`] comes out.
//!
//! The rest of the host never sees a manifest, a template or a number without a unit; whatever is wrong has been
//! answered here, in one message ([`ConfigError`]) with the file, the line, the key, the value and the remedy.
//!
//! - [`schema`] knows the keys, [`check`] whether the names fit together,
//! - [`RouteTable`] answers "who serves this path", [`AllowedHosts`] "may it connect there",
//! - [`Component::check_imports`] says whether a built component needs more than it was granted,
//! - [`Overrides`] is what the command line, the runtime configuration and the environment add.
//!
//! The `.wasm` files may not be built yet when the manifest is read, so their presence is asked for separately:
//!
//! ```no_run
//! # use config::manifest::{App, Environment, Overrides};
//! let overrides = Overrides { environment: Environment::from_process(), ..Overrides::default() };
//! let app = App::load("spin.toml".as_ref(), &overrides)?;
//! app.check_sources()?;
//! # anyhow::Ok(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

mod check;
mod files;
mod grants;
mod hosts;
mod names;
mod routes;
mod schema;
mod static_response;
mod template;
#[cfg(test)]
mod tests;
mod variables;

use crate::document::{self, ConfigError, Located, Location};
use crate::policy::{ComponentPolicy, LinkPolicies, ListenerLimits};

pub use files::FileMounts;
pub use hosts::AllowedHosts;
pub use names::ComponentId;
pub(crate) use names::check_label;
pub use routes::{Route, RouteHandler, RouteMatch, RouteTable};
pub use static_response::StaticResponse;
pub use variables::{ComponentVariables, Environment, Overrides, VariablesProvider};

/// An application as `spin.toml` describes it, checked and with all variables filled in.
#[derive(Clone, Debug)]
pub struct App {
    /// The manifest file, as an absolute path.
    pub manifest: PathBuf,
    /// The directory of the manifest; relative paths in it start here.
    pub root: PathBuf,
    /// `[application] name`.
    pub name: String,
    /// `[application] version`; may be empty.
    pub version: String,
    /// `[application] description`; may be empty.
    pub description: String,
    /// The components to run, in the order of the manifest.
    pub components: Vec<Component>,
    /// Which component answers on which path. Private endpoints are not in it.
    pub routes: RouteTable,
    /// Which channel wakes which component.
    pub redis_triggers: Vec<RedisTrigger>,
    /// The address of the platform's event log, `[application.trigger.redis] address`. The host itself serves every
    /// connection that a component opens to this address.
    pub redis_address: Option<String>,
    /// What clients may do, `[application.tool.socar.listener]`.
    pub listener: ListenerLimits,
    /// What guards each link between components, from outside, and to hosts elsewhere.
    pub links: LinkPolicies,
    /// `[application.tool.socar] retention`: how long events are kept that every group has acknowledged; for ever if
    /// absent.
    pub retention: Option<Duration>,
}

/// One `[component.<id>]`.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name, also as `http://<id>.spin.internal`.
    pub id: ComponentId,
    /// For people; may be empty.
    pub description: String,
    /// The `.wasm` file, as an absolute path. It may not exist before [`App::check_sources`].
    pub source: PathBuf,
    /// Environment variables of the guest.
    pub environment: BTreeMap<String, String>,
    /// What `spin:variables` answers.
    pub variables: ComponentVariables,
    /// What the guest may read.
    pub files: FileMounts,
    /// Labels of the key-value stores it may open.
    pub key_value_stores: BTreeSet<String>,
    /// Labels of the SQLite databases it may open.
    pub sqlite_databases: BTreeSet<String>,
    /// Where it may connect to.
    pub allowed_outbound_hosts: AllowedHosts,
    /// How it is built, if the manifest says so.
    pub build: Option<ComponentBuild>,
    /// How long, how much, how many: `[component.<id>.tool.socar]` over `[application.tool.socar]`.
    pub policy: ComponentPolicy,
    at: Location,
    source_at: Located<String>,
}

/// One `[[trigger.redis]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisTrigger {
    /// Whom it wakes.
    pub component: ComponentId,
    /// The channel, which is also the name of the event stream.
    pub channel: String,
}

/// `[component.<id>.build]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentBuild {
    /// Shell commands, to be run in this order.
    pub commands: Vec<String>,
    /// Where to run them, as an absolute path.
    pub workdir: PathBuf,
    at: Location,
}

// === impl App ===

impl App {
    /// Reads and checks a manifest; `path` is the file, or a directory with a `spin.toml` in it.
    ///
    /// # Errors
    /// For anything that would keep the application from running as it is written, except a `.wasm` file that is not
    /// there yet.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let path = if path.is_dir() {
            path.join("spin.toml")
        } else {
            path.to_owned()
        };
        let root = document::read(&path, "name the manifest with -f")?;
        check::check(schema::Manifest::read(root)?, &path, overrides)
    }

    /// Reads and checks a manifest that is not (yet) a file; `path` is where it would be.
    ///
    /// # Errors
    /// As for [`App::load`].
    pub fn from_text(path: &Path, text: &str, overrides: &Overrides) -> Result<Self, ConfigError> {
        let root = document::parse(&path.display().to_string(), text)?;
        check::check(schema::Manifest::read(root)?, path, overrides)
    }

    /// The component with this name.
    pub fn component(&self, id: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.id == id)
    }

    /// Makes sure that every component has been built.
    ///
    /// # Errors
    /// When a `.wasm` file is missing.
    pub fn check_sources(&self) -> Result<(), ConfigError> {
        self.components.iter().try_for_each(Component::check_source)
    }
}

// === impl Component ===

impl Component {
    fn check_source(&self) -> Result<(), ConfigError> {
        if self.source.is_file() {
            return Ok(());
        }
        let remedy = match self.build {
            Some(_) => "start with --build to build it",
            None => "correct the path, or add a build command and start with --build",
        };
        Err(self.source_at.error("there is no such file", remedy))
    }
}

// === impl ComponentBuild ===

impl ComponentBuild {
    /// Where the manifest has it.
    pub fn at(&self) -> &Location {
        &self.at
    }
}
