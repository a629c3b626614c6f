//! From the tables of a manifest to a checked [`App`]: the parts fit together, and every variable has a value.
//!
//! All components are checked before the selected ones are kept, so that a start with other components reports the same
//! errors.

mod chaining;
mod changes;
mod component;
mod dependencies;
mod event_log;
mod imports;
mod outbound_hosts;
mod selection;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::names::ComponentId;
use super::routes::{RouteHandler, RoutePattern, RouteTable};
use super::schema::{self, HttpTriggerTable, HttpTriggerTarget};
use super::static_response::StaticResponse;
use super::variables::{Overrides, ResolvedVariables};
use super::{App, Component, RedisTrigger};
use crate::document::{ConfigError, Located, is_misspelt};
use crate::policy::{ApplicationPolicy, EventDelivery, LinkPolicies};
use component::ComponentContext;
use dependencies::DeclaredDependencies;
use event_log::EventLog;
use selection::Selection;

/// Checks a manifest; `path` is its file.
///
/// # Errors
/// For the first part of the manifest that is invalid.
pub(crate) fn check(
    manifest: schema::Manifest,
    path: &Path,
    overrides: &Overrides,
) -> Result<App, ConfigError> {
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let root = file.parent().map(Path::to_owned).unwrap_or_default();
    let mut policy = ApplicationPolicy::read(manifest.policy)?;
    let name = path.display().to_string();
    let variables = ResolvedVariables::resolve(&name, &manifest.variables, overrides)?;
    variables.check_kinds(&manifest.variables, &policy.variables)?;
    let names: Vec<_> = variables.names().collect();
    let identity = std::mem::take(&mut policy.identity);
    let render = |text: &Located<String>| Ok(variables.render(text)?.text);
    let identity = identity.resolve(render, |name| variables.value(name), &names)?;
    let ids = manifest.components.iter().map(|table| table.id.clone());
    let selection = Selection::new(ids.collect(), &overrides.components)?;
    let event_log = EventLog::check(
        manifest.redis_address,
        manifest.redis_triggers,
        &variables,
        &selection,
    )?;
    for component in &manifest.components {
        chaining::check(component, &event_log.triggers, &selection)?;
    }
    dependencies::check(&manifest.components)?;
    let (routes, mut triggered) = routes(manifest.http_triggers, &selection)?;
    triggered.extend(event_log.triggers.iter().map(|it| it.component.clone()));
    let context = ComponentContext {
        root: &root,
        ids: selection.ids(),
        variables: &variables,
        policy: &policy.component,
    };
    let mut components = Vec::new();
    let mut link_tables = Vec::new();
    let mut declared = Vec::new();
    for mut table in manifest.components {
        let links = ApplicationPolicy::take_links(&mut table.policy)?;
        declared.push(DeclaredDependencies {
            component: table.id.clone(),
            tables: std::mem::take(&mut table.dependencies),
        });
        let component = context.check(table)?;
        imports::check(&component, selection.ids())?;
        link_tables.push((
            component.id.to_string(),
            component.policy.link.clone(),
            links,
        ));
        components.push(component);
    }
    let links = LinkPolicies::read(policy.link_tables(link_tables))?;
    check_event_types(&components)?;
    changes::check(&components, &event_log.triggers, &routes, &policy.listener)?;
    check_redis_grants(&components)?;

    let declared_triggers = with_delivery(&event_log.triggers, &components);
    dependencies::resolve(&mut components, declared, &triggered)?;
    let is_selected = |id: &ComponentId| selection.contains(id);
    components.retain(|component| is_selected(&component.id));
    let mut redis_triggers = event_log.triggers;
    redis_triggers.retain(|trigger| is_selected(&trigger.component));
    Ok(App {
        manifest: file,
        root: PathBuf::clone(&root),
        name: manifest.name,
        version: manifest.version,
        components,
        routes: routes.of_components(is_selected),
        redis_triggers,
        declared_triggers,
        redis_address: event_log.address,
        listener: policy.listener,
        identity,
        links,
        retention: policy.retention,
        redrive: policy.redrive,
    })
}

/// The triggers, each with the policy `events` of its component.
fn with_delivery(
    triggers: &[RedisTrigger],
    components: &[Component],
) -> Vec<(RedisTrigger, EventDelivery)> {
    let delivery = |trigger: &RedisTrigger| {
        let component = components.iter().find(|it| it.id == trigger.component)?;
        Some((trigger.clone(), component.policy.events))
    };
    triggers.iter().filter_map(delivery).collect()
}

/// Rejects an event type that only one component names and that is spelt almost like the type of another: it would never
/// arrive.
fn check_event_types(components: &[Component]) -> Result<(), ConfigError> {
    let types = || {
        let named = components.iter();
        named.flat_map(|it| {
            it.policy
                .event_types
                .iter()
                .flatten()
                .map(move |name| (it, name))
        })
    };
    for (component, name) in types() {
        let is_named_again = types().filter(|(_, other)| *other == name).count() > 1;
        let similar = types().find(|(_, other)| *other != name && is_misspelt(name, other));
        if let (false, Some((other, similar))) = (is_named_again, similar) {
            let at = component.at.child("tool.socar.event_types");
            return Err(at.error(
                format_args!("{name:?}"),
                "no other component names this event type",
                format!(
                    "component `{}` names `{similar}`: correct the one that is misspelt",
                    other.id
                ),
            ));
        }
    }
    Ok(())
}

/// Rejects streams and keys that a component is granted although they belong to a key-value store or to the host.
fn check_redis_grants(components: &[Component]) -> Result<(), ConfigError> {
    let labels = components.iter().flat_map(|it| &it.key_value_stores);
    let labels: BTreeSet<String> = labels.cloned().collect();
    let mut components = components.iter();
    components.try_for_each(|component| component.redis.check(&labels))
}

/// The routes, and the components that a trigger names.
fn routes(
    triggers: Vec<HttpTriggerTable>,
    selection: &Selection<'_>,
) -> Result<(RouteTable, BTreeSet<ComponentId>), ConfigError> {
    let mut routes = Vec::new();
    let mut triggered = BTreeSet::new();
    for trigger in triggers {
        let handler = match trigger.target {
            HttpTriggerTarget::Component(name) => {
                let id = selection.find(&name)?;
                triggered.insert(id.clone());
                RouteHandler::Component(id)
            }
            HttpTriggerTarget::Static(table) => RouteHandler::Static(StaticResponse::read(table)?),
        };
        if let Some(route) = trigger.route {
            let pattern = RoutePattern::parse(&route)?;
            routes.push((route, pattern, handler));
        }
    }
    Ok((RouteTable::new(routes)?, triggered))
}
