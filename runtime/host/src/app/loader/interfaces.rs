//! Checks at the start whether a component matches its manifest.
//!
//! A component that imports an interface without a grant would fail on its first call. This check stops the start
//! instead, with the missing key in the message.

use anyhow::bail;
use wasmtime::Engine;
use wasmtime::component::Component as Code;
use wasmtime::component::types::ComponentItem;

use crate::instance::functions::ExportedFunctions;
use config::manifest::{App, Component, RouteHandler};

/// The exports of a component that the host calls.
pub struct Exports {
    /// The component exports `wasi:http/handler`.
    pub requests: bool,
    /// The component exports `spin:redis/inbound-redis`.
    pub messages: bool,
    /// The functions that other components may call.
    pub functions: ExportedFunctions,
}

const REQUESTS: &str = "wasi:http/handler@0.3.0";
const MESSAGES: &str = "spin:redis/inbound-redis@3.0.0";

/// Compares the imports with the grants, and the exports with the triggers.
///
/// # Errors
/// When an import has no grant or a trigger has no export; the message names the component, the key and the remedy.
pub fn check(
    engine: &Engine,
    code: &Code,
    component: &Component,
    app: &App,
) -> anyhow::Result<Exports> {
    let kind = code.component_type();
    let imports: Vec<String> = kind
        .imports(engine)
        .filter(|(_, item)| can_be_called(engine, &item.ty))
        .map(|(name, _)| name.to_owned())
        .collect();
    let exports: Vec<String> = kind
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    component.check_imports(imports.iter().map(String::as_str))?;

    let found = Exports {
        requests: exports.iter().any(|name| name == REQUESTS),
        messages: exports.iter().any(|name| name == MESSAGES),
        functions: ExportedFunctions::of(engine, code),
    };
    let id = &component.id;
    let manifest = app.manifest.display();
    let routed = app
        .routes
        .iter()
        .any(|route| matches!(&route.handler, RouteHandler::Component(it) if it == id));
    let woken = app
        .redis_triggers
        .iter()
        .any(|trigger| trigger.component == *id);
    let source = component.source.display();
    if routed && !found.requests {
        bail!(
            "{manifest}: trigger.http: component `{id}` ({source}) does not export {REQUESTS}: build it with spin-sdk 7, or remove the trigger"
        );
    }
    if woken && !found.messages {
        bail!(
            "{manifest}: trigger.redis: component `{id}` ({source}) does not export {MESSAGES}: add a #[redis_subscriber], or remove the trigger"
        );
    }
    Ok(found)
}

/// Whether the interface has functions. A component may import an interface for its types alone: one that handles Redis
/// messages imports `spin:redis` this way.
fn can_be_called(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(interface) => interface
            .exports(engine)
            .any(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_))),
        _ => true,
    }
}
