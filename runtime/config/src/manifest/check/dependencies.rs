//! Dependencies: they name components without grants of their own, which implement imports and are started by nothing
//! else.

use std::collections::BTreeSet;

use crate::document::{ConfigError, suggest};
use crate::manifest::Component;
use crate::manifest::dependencies::{Dependency, export_name};
use crate::manifest::names::ComponentId;
use crate::manifest::schema::{ComponentTable, DependencyTable};

/// The dependencies of one component, before all components are checked.
pub(super) struct DeclaredDependencies {
    pub(super) component: ComponentId,
    pub(super) tables: Vec<DependencyTable>,
}

/// Checks that the component that a dependency names exists and has no grants of its own. Stock Spin refuses such a
/// manifest as well.
///
/// # Errors
/// For the first dependency that is invalid.
pub(super) fn check(components: &[ComponentTable]) -> Result<(), ConfigError> {
    for component in components {
        for dependency in &component.dependencies {
            let name = &dependency.component;
            let named = components.iter().find(|it| it.id == name.value.as_str());
            let Some(named) = named.filter(|named| named.id != component.id) else {
                let others = components.iter().map(|it| it.id.as_str());
                let others = others.filter(|id| *id != component.id.as_str());
                return Err(name.error(
                    "there is no such other component",
                    suggest(&name.value, others, "declare it as a [component.<id>]"),
                ));
            };
            if let Some(key) = own_grant(named) {
                return Err(name.error(
                    format!("component `{}` has its own `{key}`, and a dependency has only what it inherits", named.id),
                    format!("remove `{key}` from it, and list the key in inherit_configuration"),
                ));
            }
        }
    }
    Ok(())
}

fn own_grant(component: &ComponentTable) -> Option<&'static str> {
    [
        ("variables", component.variables.is_empty()),
        ("environment", component.environment.is_empty()),
        ("files", component.files.is_empty()),
        (
            "allowed_outbound_hosts",
            component.allowed_outbound_hosts.is_empty(),
        ),
        ("key_value_stores", component.key_value_stores.is_empty()),
        ("sqlite_databases", component.sqlite_databases.is_empty()),
        ("dependencies", component.dependencies.is_empty()),
    ]
    .into_iter()
    .find_map(|(key, is_empty)| (!is_empty).then_some(key))
}

/// Gives every component its dependencies, and takes the components out that are nothing but dependencies.
///
/// # Errors
/// When `export` is not the name of an interface.
pub(super) fn resolve(
    components: &mut Vec<Component>,
    declared: Vec<DeclaredDependencies>,
    triggered: &BTreeSet<ComponentId>,
) -> Result<(), ConfigError> {
    let mut adapters = BTreeSet::new();
    for DeclaredDependencies { component, tables } in declared {
        let Some(caller) = components.iter().position(|it| it.id == component) else {
            continue;
        };
        let mut dependencies = Vec::new();
        for table in tables {
            let name = &table.component.value;
            let Some(named) = components.iter().find(|it| it.id == name.as_str()) else {
                continue;
            };
            let adapter = table.inherited.apply(named, &components[caller]);
            adapters.insert(named.id.clone());
            let export = export_name(table.export.as_ref())?;
            dependencies.push(Dependency::new(table.imports, export, adapter));
        }
        components[caller].dependencies = dependencies;
    }
    components.retain(|it| triggered.contains(&it.id) || !adapters.contains(&it.id));
    Ok(())
}
