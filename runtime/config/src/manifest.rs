//! `spin.toml`: a text in, a checked [`App`] out.
//!
//! The host receives no templates and no unchecked values. The first invalid value stops the start with a
//! [`ConfigError`]: the file, the line, the key, the value, the problem and the remedy.
//!
//! - [`schema`] contains the keys and their types, [`check`] compares the parts with each other.
//! - [`RouteTable`] finds the component of a path, [`AllowedHosts`] decides where a component may connect.
//! - [`Component::import_without_grant`] compares the imports of a built component with its grants.
//! - [`Overrides`] contains the options of the command line, the runtime configuration and the environment.
//!
//! The `.wasm` files may be built after the manifest is read, so their presence is checked separately:
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

mod canonical_path;
mod check;
mod dependencies;
mod files;
mod grants;
mod hosts;
mod interface_name;
mod names;
mod policies;
mod routes;
mod schema;
mod static_response;
mod template;
#[cfg(test)]
mod tests;
mod variables;

use crate::document::{self, ConfigError, Located, Location};
use crate::policy::{
    ComponentPolicy, EventDelivery, IdentityPolicy, LinkPolicies, ListenerLimits, RedisGrants,
};

pub use canonical_path::{canonical_path, without_outer_slashes};
pub use dependencies::Dependency;
pub use files::FileMounts;
pub use hosts::{AllowedHosts, is_chaining_host};
pub use interface_name::InterfaceName;
pub use names::ComponentId;
pub(crate) use names::check_label;
pub use routes::{Route, RouteHandler, RouteMatch, RouteTable, is_of_host};
pub use static_response::StaticResponse;
pub use variables::{ComponentVariables, DOTENV, Environment, Overrides, VariablesProvider};
use variables::{HOST, IDENTITY_VERIFIER};

/// A checked application; all variables are resolved.
#[derive(Clone, Debug)]
pub struct App {
    /// The manifest file, as an absolute path.
    pub manifest: PathBuf,
    /// The directory of the manifest, where its relative paths start.
    pub root: PathBuf,
    /// `[application] name`.
    pub name: String,
    /// `[application] version`; may be empty.
    pub version: String,
    /// The selected components, in the order of the manifest, without those that only implement imports of others: each
    /// of these is with the component that depends on it.
    pub components: Vec<Component>,
    /// The public HTTP routes.
    pub routes: RouteTable,
    /// The Redis triggers of the selected components.
    pub redis_triggers: Vec<RedisTrigger>,
    /// All Redis triggers of the manifest, with the hosts among which the events are divided.
    pub declared_triggers: Vec<(RedisTrigger, EventDelivery)>,
    /// The address of the event log, `[application.trigger.redis] address`. The host serves the connections that a
    /// component opens to this address.
    pub redis_address: Option<String>,
    /// `[application.tool.socar.listener]`: the limits of clients.
    pub listener: ListenerLimits,
    /// `[application.tool.socar.identity]`: whose access tokens are accepted.
    pub identity: IdentityPolicy,
    /// The policies of all links: from outside, between components, and to external hosts.
    pub links: LinkPolicies,
    /// `[application.tool.socar] retention`: the age at which an event is removed that every consumer group has
    /// acknowledged; unlimited if absent.
    pub retention: Option<Duration>,
    /// `[application.tool.socar] redrive`: the age at which a dead letter is delivered again; `None` leaves it to the
    /// operator.
    pub redrive: Option<Duration>,
}

/// One `[component.<id>]`.
#[derive(Clone, Debug)]
pub struct Component {
    /// The name; the host name of the component is `<id>.spin.internal`.
    pub id: ComponentId,
    /// The absolute path of the `.wasm` file, which may be absent before [`App::check_sources`].
    pub source: PathBuf,
    /// Environment variables of the guest.
    pub environment: BTreeMap<String, String>,
    /// The variables that `spin:variables` returns.
    pub variables: ComponentVariables,
    /// The files that the guest can read.
    pub files: FileMounts,
    /// Labels of the key-value stores it may open.
    pub key_value_stores: BTreeSet<String>,
    /// Labels of the SQLite databases it may open.
    pub sqlite_databases: BTreeSet<String>,
    /// The hosts that it may connect to.
    pub allowed_outbound_hosts: AllowedHosts,
    /// What it may use of the servers that hold the event log and the key-value stores.
    pub redis: RedisGrants,
    /// The components that implement its imports where no component of the application does.
    pub dependencies: Vec<Dependency>,
    /// The build commands, if there are any.
    pub build: Option<ComponentBuild>,
    /// `[component.<id>.tool.socar]`, with missing keys from `[application.tool.socar]`.
    pub policy: ComponentPolicy,
    at: Location,
    source_at: Located<String>,
}

/// One `[[trigger.redis]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisTrigger {
    /// The component that the events are delivered to.
    pub component: ComponentId,
    /// The channel, which is also the name of the event stream.
    pub channel: String,
}

/// `[component.<id>.build]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentBuild {
    /// Shell commands, to be run in this order.
    pub commands: Vec<String>,
    /// The absolute path of the directory to run them in.
    pub workdir: PathBuf,
    at: Location,
}

// === impl App ===

impl App {
    /// Reads and checks a manifest; `path` is the file, or a directory with a `spin.toml` in it.
    ///
    /// # Errors
    /// When the manifest cannot be read, or when any part of it is invalid. An absent `.wasm` file is no error.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let path = if path.is_dir() {
            path.join("spin.toml")
        } else {
            path.to_owned()
        };
        let mut root = document::read(&path, "name the manifest with -f")?;
        if let Some(file) = &overrides.policies {
            policies::overlay(&mut root, file)?;
        }
        check::check(schema::Manifest::read(root)?, &path, overrides)
    }

    /// Reads and checks a manifest from a text; `path` is the file that relative paths and errors refer to.
    #[cfg(test)]
    pub(crate) fn from_text(
        path: &Path,
        text: &str,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let root = document::parse(&path.display().to_string(), text)?;
        check::check(schema::Manifest::read(root)?, path, overrides)
    }

    /// The component with this name.
    pub fn component(&self, id: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.id == id)
    }

    /// Checks that every component is built.
    ///
    /// # Errors
    /// When a `.wasm` file is missing.
    pub fn check_sources(&self) -> Result<(), ConfigError> {
        let mut sources = self.linked_sources();
        sources.try_for_each(Component::check_source)
    }

    /// Checks, for a host that verifies access tokens, that no component considers itself the verifier. Such a component
    /// ignores the principal that the host names: it would accept every request, like a component of an open platform.
    ///
    /// # Errors
    /// For the first component whose variable `identity_verifier` has another value than `host`.
    pub fn check_identity_verifier(&self) -> Result<(), ConfigError> {
        self.sources()
            .try_for_each(Component::check_identity_verifier)
    }

    /// Checks that every file of the application is there, also those that only other hosts need.
    ///
    /// # Errors
    /// For the first component whose file is missing.
    pub fn check_all_sources(&self) -> Result<(), ConfigError> {
        self.sources().try_for_each(Component::check_source)
    }

    /// Every component whose file the application may need: the selected ones and their dependencies. A dependency of
    /// several components is there several times.
    pub fn sources(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().flat_map(|component| {
            let adapters = component.dependencies.iter().map(|it| &it.adapter);
            std::iter::once(component).chain(adapters)
        })
    }

    /// The components whose file this host may need: those in [`Self::sources`] that it links.
    pub fn linked_sources(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().flat_map(|component| {
            let adapters = component.dependencies.iter().map(|it| &it.adapter);
            let linked = adapters.filter(|adapter| adapter.policy.linked);
            std::iter::once(component).chain(linked)
        })
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

    fn check_identity_verifier(&self) -> Result<(), ConfigError> {
        match self.variables.get(IDENTITY_VERIFIER) {
            None | Some(HOST) => Ok(()),
            Some(other) => {
                let at = self.at.child("variables").child(IDENTITY_VERIFIER);
                Err(at.error(
                    format_args!("{other:?}"),
                    "the platform has an identity, so the host verifies access tokens, and this component would accept every request",
                    format!(
                        "remove {IDENTITY_VERIFIER} from --variable and its files, the variables providers, {} and .env, or set it to {HOST}",
                        Environment::variable(IDENTITY_VERIFIER)
                    ),
                ))
            }
        }
    }
}

// === impl ComponentBuild ===

impl ComponentBuild {
    /// The location of the build commands in the manifest.
    pub fn at(&self) -> &Location {
        &self.at
    }
}
