//! The streams of changes: each has a path of its own, and a component with events.

use crate::document::ConfigError;
use crate::manifest::routes::{RoutePattern, RouteTable};
use crate::manifest::{Component, RedisTrigger};
use crate::policy::ListenerLimits;

/// Checks every `changes`.
///
/// # Errors
/// When a path is malformed or in use, when the component has no Redis trigger, or when there are not enough connections
/// for the listeners.
pub(super) fn check(
    components: &[Component],
    triggers: &[RedisTrigger],
    routes: &RouteTable,
    listener: &ListenerLimits,
) -> Result<(), ConfigError> {
    let mut patterns: Vec<(&Component, RoutePattern)> = Vec::new();
    for component in components {
        let Some(changes) = &component.policy.changes else {
            continue;
        };
        let path = &changes.path;
        let pattern = RoutePattern::parse(path)?;
        if !pattern.is_literal() || !path.value.starts_with('/') || path.value.ends_with('/') {
            return Err(path.error(
                "the changes of a component have one path",
                "write a path such as \"/carviews/stream\"",
            ));
        }
        if let Some(route) = routes.same_as(&pattern) {
            return Err(path.error(
                format!("{} already answers on this path", route.handler),
                "choose another path, or remove the [[trigger.http]]",
            ));
        }
        let mut others = patterns.iter();
        if let Some((other, _)) = others.find(|(_, other)| other.same_paths(&pattern)) {
            return Err(path.error(
                format!("the changes of component `{}` are at this path", other.id),
                "choose another path",
            ));
        }
        if !triggers.iter().any(|it| it.component == component.id) {
            return Err(path.error(
                "the component has no events, so that nothing would ever be sent",
                "add a [[trigger.redis]] for the component, or remove the key",
            ));
        }
        if let Some(listeners) = &changes.listeners
            && listeners.value > listener.lasting_connections()
        {
            return Err(listeners.error(
                format!(
                    "more listeners than the connections of the host leave room for ({})",
                    listener.lasting_connections()
                ),
                "write less, or raise `application.tool.socar.listener.connections`",
            ));
        }
        patterns.push((component, pattern));
    }
    Ok(())
}
