//! The imports of a built component, compared with the grants of its manifest.
//!
//! A component of Rust imports only the interfaces that it calls, so an import without a grant is a grant that was
//! forgotten. Some SDKs of other languages import everything that a platform may offer, whether it is called or not.

use std::fmt;

use super::{Component, InterfaceName};
use crate::document::{ConfigError, Located};

/// The grant that some interfaces require.
struct RequiredGrant {
    /// Prefixes of the names of the interfaces.
    interfaces: &'static [&'static str],
    key: &'static str,
    granted: fn(&Component) -> bool,
    missing: &'static str,
    remedy: &'static str,
}

const REQUIRED_GRANTS: [RequiredGrant; 4] = [
    RequiredGrant {
        interfaces: &[
            "spin:key-value/",
            "wasi:keyvalue/",
            "fermyon:spin/key-value@",
        ],
        key: "key_value_stores",
        granted: |component| !component.key_value_stores.is_empty(),
        missing: "no key-value store is granted to it",
        remedy: "add key_value_stores = [\"<label>\"] with the label that it opens",
    },
    RequiredGrant {
        interfaces: &["spin:sqlite/", "fermyon:spin/sqlite@"],
        key: "sqlite_databases",
        granted: |component| !component.sqlite_databases.is_empty(),
        missing: "no database is granted to it",
        remedy: "add sqlite_databases = [\"<label>\"] with the label that it opens",
    },
    RequiredGrant {
        interfaces: &["spin:redis/redis@", "fermyon:spin/redis@"],
        key: "allowed_outbound_hosts",
        granted: |component| {
            ["redis", "rediss"]
                .iter()
                .any(|scheme| component.allowed_outbound_hosts.may_use(scheme))
        },
        missing: "no Redis is granted to it",
        remedy: "add the address that it opens to allowed_outbound_hosts, such as \"redis://127.0.0.1:6379\"",
    },
    RequiredGrant {
        interfaces: &["wasi:http/client@", "wasi:http/outgoing-handler@"],
        key: "allowed_outbound_hosts",
        granted: |component| {
            ["http", "https"]
                .iter()
                .any(|scheme| component.allowed_outbound_hosts.may_use(scheme))
        },
        missing: "no HTTP host is granted to it",
        remedy: "add the hosts that it calls to allowed_outbound_hosts, such as \"https://example.com\"",
    },
];

impl Component {
    /// The error when the component opens a label or address that `key` of the manifest does not contain.
    pub fn not_granted(&self, key: &str, label: &str) -> ConfigError {
        self.at.child(key).error_without_value(
            format!("the component opens `{label}`, which is not granted to it"),
            format!("add \"{label}\" to {key}"),
        )
    }

    /// The error when no component satisfies an import of the component as it is.
    pub fn unsatisfied(
        &self,
        import: &InterfaceName,
        problem: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> ConfigError {
        let problem = format!("the component imports {import}, {problem}");
        self.at.error_without_value(problem, remedy)
    }

    /// The component that `tool.socar.imports` names for this import, with or without the version.
    pub fn exporter_of(&self, import: &InterfaceName) -> Option<&Located<String>> {
        let mut named = self.policy.imports.iter();
        let is_named = |name: &InterfaceName| match name.has_version() {
            true => name == import,
            false => name.is_same_interface(import),
        };
        let exporter =
            named.find(|(name, _)| InterfaceName::parse(name).as_ref().is_some_and(is_named));
        exporter.map(|(_, id)| id)
    }

    /// The first import of the built component, such as `spin:sqlite/sqlite@3.1.0`, that requires a grant which the
    /// manifest does not contain, as an error with the key and the remedy.
    pub fn import_without_grant<'a>(
        &self,
        imports: impl IntoIterator<Item = &'a str>,
    ) -> Option<ConfigError> {
        imports.into_iter().find_map(|import| {
            let mut grants = REQUIRED_GRANTS.iter();
            let required = grants.find(|required| {
                let mut prefixes = required.interfaces.iter();
                prefixes.any(|prefix| import.starts_with(prefix))
            })?;
            let is_missing = !(required.granted)(self);
            is_missing.then(|| {
                self.at.child(required.key).error_without_value(
                    format!("the component uses {import}, and {}", required.missing),
                    required.remedy,
                )
            })
        })
    }
}
