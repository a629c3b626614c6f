//! Dependencies: components that implement the imports of another one, with grants that they inherit from it.
//!
//! Stock Spin composes a dependency into the component that names it. socar uses it only for an import that no other
//! component of the application exports, so that one manifest serves a whole application and a split deployment.

use super::Component;
use super::interface_name::{InterfaceName, split_version};
use crate::document::Located;
use semver::Version;

/// One entry of `[component.<id>.dependencies]`.
#[derive(Clone, Debug)]
pub struct Dependency {
    imports: ImportPattern,
    export: Option<InterfaceName>,
    /// The component that implements the imports, with the grants that it inherits.
    pub adapter: Component,
}

/// The imports that a dependency satisfies: an interface, or all interfaces of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportPattern {
    package: String,
    interface: Option<InterfaceName>,
    version: Option<Version>,
}

/// The keys of its caller that a dependency inherits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inherited(u8);

/// The names of the keys; the bit of each is its index.
const KEYS: [&str; 7] = [
    "allowed_outbound_hosts",
    "environment",
    "files",
    "key_value_stores",
    "sqlite_databases",
    "variables",
    "ai_models",
];

// === impl Dependency ===

impl Dependency {
    pub(super) fn new(
        imports: ImportPattern,
        export: Option<InterfaceName>,
        adapter: Component,
    ) -> Self {
        Self {
            imports,
            export,
            adapter,
        }
    }

    /// Whether the dependency is there for this import.
    pub fn is_for(&self, import: &InterfaceName) -> bool {
        self.imports.matches(import)
    }

    /// The export of the adapter to use for an import.
    pub fn export_for<'a>(&'a self, import: &'a InterfaceName) -> &'a InterfaceName {
        self.export.as_ref().unwrap_or(import)
    }
}

// === impl ImportPattern ===

impl ImportPattern {
    /// Parses the key of a dependency. `None` when it names neither an interface nor a package.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(interface) = InterfaceName::parse(text) {
            let (_, version) = split_version(text)?;
            return Some(Self {
                package: interface.package().to_owned(),
                interface: Some(interface),
                version,
            });
        }
        let (package, version) = split_version(text)?;
        let (namespace, name) = package.split_once(':')?;
        let is_whole = [namespace, name]
            .iter()
            .all(|part| !part.is_empty() && !part.contains([':', '/']));
        is_whole.then(|| Self {
            package: package.to_owned(),
            interface: None,
            version,
        })
    }

    fn matches(&self, import: &InterfaceName) -> bool {
        let is_named = match &self.interface {
            Some(interface) => import.is_same_interface(interface),
            None => import.package() == self.package,
        };
        is_named && (self.version.is_none() || self.version.as_ref() == import.version())
    }
}

// === impl Inherited ===

impl Inherited {
    /// Every key.
    pub(crate) fn all() -> Self {
        Self(u8::MAX)
    }

    /// The names of the keys.
    pub(crate) fn keys() -> [&'static str; 7] {
        KEYS
    }

    /// Adds a key; `false` when there is no such key.
    pub(crate) fn add(&mut self, key: &str) -> bool {
        let index = KEYS.iter().position(|known| *known == key);
        if let Some(index) = index {
            self.0 |= 1 << index;
        }
        index.is_some()
    }

    fn has(self, key: &str) -> bool {
        let index = KEYS.iter().position(|known| *known == key);
        index.is_some_and(|index| self.0 & (1 << index) != 0)
    }

    /// The dependency with the grants of its caller that it inherits.
    pub(super) fn apply(self, dependency: &Component, caller: &Component) -> Component {
        let mut adapter = dependency.clone();
        if self.has("allowed_outbound_hosts") {
            adapter.allowed_outbound_hosts = caller.allowed_outbound_hosts.clone();
            adapter.redis = caller.redis.clone();
        }
        if self.has("environment") {
            adapter.environment = caller.environment.clone();
        }
        if self.has("files") {
            adapter.files = caller.files.clone();
        }
        if self.has("key_value_stores") {
            adapter.key_value_stores = caller.key_value_stores.clone();
        }
        if self.has("sqlite_databases") {
            adapter.sqlite_databases = caller.sqlite_databases.clone();
        }
        if self.has("variables") {
            adapter.variables = caller.variables.clone();
        }
        adapter
    }
}

/// The interface that `export` names.
pub(super) fn export_name(
    written: Option<&Located<String>>,
) -> Result<Option<InterfaceName>, crate::document::ConfigError> {
    let parse = |written: &Located<String>| {
        InterfaceName::parse(&written.value).ok_or_else(|| {
            written.error(
                "not the name of an interface",
                "write it as \"namespace:package/interface@1.0.0\"",
            )
        })
    };
    written.map(parse).transpose()
}
