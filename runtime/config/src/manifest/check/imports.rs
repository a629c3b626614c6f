//! `tool.socar.imports`: which component satisfies an import that several components export.

use crate::document::{ConfigError, suggest};
use crate::manifest::names::ComponentId;
use crate::manifest::{Component, InterfaceName};

/// Checks the names of the interfaces and of the components.
///
/// # Errors
/// When an interface has no valid name, or a component does not exist.
pub(super) fn check(component: &Component, ids: &[ComponentId]) -> Result<(), ConfigError> {
    for (import, exporter) in &component.policy.imports {
        if InterfaceName::parse(import).is_none() {
            return Err(exporter.at.error_without_value(
                "not the name of an interface",
                "write it as \"namespace:package/interface\", as the component imports it",
            ));
        }
        if !ids.iter().any(|id| id == exporter.value.as_str()) {
            let ids = ids.iter().map(ComponentId::as_str);
            return Err(exporter.error(
                "there is no such component",
                suggest(&exporter.value, ids, "remove it"),
            ));
        }
    }
    Ok(())
}
