//! Does a built component need more than its manifest grants?
//!
//! A component imports only what it calls, so one that imports an interface and is granted nothing behind it would
//! fail on its first request. We say so at the start instead.

use super::Component;
use crate::document::ConfigError;

/// What an interface needs, and how a manifest grants it.
struct Need {
    /// How the names of the interfaces begin.
    interfaces: &'static [&'static str],
    key: &'static str,
    granted: fn(&Component) -> bool,
    missing: &'static str,
    remedy: &'static str,
}

const NEEDS: [Need; 4] = [
    Need {
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
    Need {
        interfaces: &["spin:sqlite/", "fermyon:spin/sqlite@"],
        key: "sqlite_databases",
        granted: |component| !component.sqlite_databases.is_empty(),
        missing: "no database is granted to it",
        remedy: "add sqlite_databases = [\"<label>\"] with the label that it opens",
    },
    Need {
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
    Need {
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
    /// Says that it opens something that its manifest does not grant under this key.
    pub fn not_granted(&self, key: &str, label: &str) -> ConfigError {
        self.at.child(key).error_without_value(
            format!("the component opens `{label}`, which is not granted to it"),
            format!("add \"{label}\" to {key}"),
        )
    }

    /// Checks the interfaces that the built component imports, such as `spin:sqlite/sqlite@3.0.0`.
    ///
    /// # Errors
    /// When the manifest grants nothing of what one of them is for.
    pub fn check_imports<'a>(
        &self,
        imports: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ConfigError> {
        for import in imports {
            let imported = |need: &&Need| {
                need.interfaces
                    .iter()
                    .any(|prefix| import.starts_with(prefix))
            };
            if let Some(need) = NEEDS
                .iter()
                .find(imported)
                .filter(|need| !(need.granted)(self))
            {
                return Err(self.at.child(need.key).error_without_value(
                    format!("the component uses {import}, and {}", need.missing),
                    need.remedy,
                ));
            }
        }
        Ok(())
    }
}
