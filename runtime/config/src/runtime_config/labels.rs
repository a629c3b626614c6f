//! The labels of a runtime configuration, compared with those that components are granted.

use std::collections::BTreeSet;

use crate::document::{ConfigError, Location, is_typo};
use crate::manifest::{App, Component, check_label};

/// All configured labels with their locations.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfiguredLabels(Vec<ConfiguredLabel>);

#[derive(Clone, Debug)]
struct ConfiguredLabel {
    name: String,
    kind: StoreKind,
    at: Location,
}

/// The kind of store that a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreKind {
    KeyValueStore,
    SqliteDatabase,
}

impl ConfiguredLabels {
    /// # Errors
    /// When the name is not valid for a label.
    pub(super) fn add(
        &mut self,
        name: &str,
        kind: StoreKind,
        at: &Location,
    ) -> Result<(), ConfigError> {
        check_label(name, at)?;
        self.0.push(ConfiguredLabel {
            name: name.to_owned(),
            kind,
            at: at.clone(),
        });
        Ok(())
    }

    /// # Errors
    /// When no component is granted a label that is similar to a granted label without a configuration.
    pub(super) fn check(&self, app: &App) -> Result<(), ConfigError> {
        for label in &self.0 {
            let granted: Vec<&String> = app
                .components
                .iter()
                .flat_map(|component| label.kind.granted(component))
                .collect();
            if granted.contains(&&label.name) {
                continue;
            }
            let is_meant =
                |name: &&&String| !self.contains(label.kind, name) && is_typo(&label.name, name);
            if let Some(meant) = granted.iter().find(is_meant) {
                return Err(label.at.error_without_value(
                    "no component is granted this label",
                    format!("did you mean `{meant}`, which is not configured?"),
                ));
            }
        }
        Ok(())
    }

    fn contains(&self, kind: StoreKind, name: &str) -> bool {
        self.0
            .iter()
            .any(|label| label.kind == kind && label.name == name)
    }
}

impl StoreKind {
    fn granted(self, component: &Component) -> &BTreeSet<String> {
        match self {
            Self::KeyValueStore => &component.key_value_stores,
            Self::SqliteDatabase => &component.sqlite_databases,
        }
    }
}
