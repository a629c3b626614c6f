//! Service chaining: hosts of other components in `allowed_outbound_hosts`.
//!
//! socar rejects a manifest that stock Spin would not start, so that both hosts run the same manifests.

use super::selection::Selection;
use crate::document::{ConfigError, Located};
use crate::manifest::RedisTrigger;
use crate::manifest::hosts::{is_chaining_host, named_component};
use crate::manifest::names::ComponentId;
use crate::manifest::schema::ComponentTable;

/// Checks the hosts of other components that a component lists literally.
///
/// # Errors
/// When the component has a Redis trigger, or when a selected component needs one that is not selected.
pub(super) fn check(
    component: &ComponentTable,
    triggers: &[RedisTrigger],
    selection: &Selection<'_>,
) -> Result<(), ConfigError> {
    let is_triggered = triggers
        .iter()
        .any(|trigger| trigger.component == component.id);
    let chained = component
        .allowed_outbound_hosts
        .iter()
        .filter(|host| is_chaining_host(&host.value));
    for host in chained {
        let name = named_component(&host.value);
        if is_triggered {
            return Err(rejected_by_spin(host, name.as_deref()));
        }
        if let Some(missing) = unselected_callee(&component.id, name.as_deref(), selection) {
            return Err(host.error(
                format!(
                    "component `{}` needs component `{missing}`, which is not selected",
                    component.id
                ),
                format!("add -c {missing}, or list a variable with the address where it runs"),
            ));
        }
    }
    Ok(())
}

fn rejected_by_spin(host: &Located<String>, name: Option<&str>) -> ConfigError {
    let variable = name.unwrap_or("other").replace('-', "_");
    host.error(
        "stock Spin does not start a Redis-triggered component that names a component's host",
        format!(
            "list \"{{{{ {variable}_url }}}}\" and give that variable the default \"http://{}.spin.internal\"",
            name.unwrap_or("<id>"),
        ),
    )
}

/// A component that the caller may call, while the caller is selected and the component is not. Without a name, the
/// caller may call every component.
fn unselected_callee<'a>(
    caller: &ComponentId,
    name: Option<&str>,
    selection: &'a Selection<'_>,
) -> Option<&'a ComponentId> {
    let is_missing =
        |id: &&ComponentId| !selection.contains(id) && name.is_none_or(|name| **id == name);
    let missing = selection.ids().iter().find(is_missing);
    missing.filter(|_| selection.contains(caller))
}
