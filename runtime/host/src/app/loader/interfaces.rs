//! Whether a component fits what the manifest says about it, before it is ever called.
//!
//! A component that imports an interface without being granted anything behind it would fail on its first call; here it
//! stops the start instead, with the key to add.

use anyhow::bail;
use wasmtime::Engine;
use wasmtime::component::Component as Code;
use wasmtime::component::types::ComponentItem;

use config::manifest::{App, Component, RouteHandler};

/// What a component handles.
#[derive(Clone, Copy, Debug)]
pub struct Handles {
    /// It exports `wasi:http/handler`.
    pub requests: bool,
    /// It exports `spin:redis/inbound-redis`.
    pub messages: bool,
}

const REQUESTS: &str = "wasi:http/handler@0.3.0";
const MESSAGES: &str = "spin:redis/inbound-redis@3.0.0";

/// Compares imports with grants and exports with triggers.
///
/// # Errors
/// One message with the component, the key and the remedy.
pub fn check(
    engine: &Engine,
    code: &Code,
    component: &Component,
    app: &App,
) -> anyhow::Result<Handles> {
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

    let handles = Handles {
        requests: exports.iter().any(|name| name == REQUESTS),
        messages: exports.iter().any(|name| name == MESSAGES),
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
    if routed && !handles.requests {
        bail!(
            "{manifest}: trigger.http: component `{id}` ({source}) does not export {REQUESTS}: build it with spin-sdk 7, or remove the trigger"
        );
    }
    if woken && !handles.messages {
        bail!(
            "{manifest}: trigger.redis: component `{id}` ({source}) does not export {MESSAGES}: add a #[redis_subscriber], or remove the trigger"
        );
    }
    Ok(handles)
}

/// An interface may be imported for its types alone, as that of `spin:redis` is by whoever handles messages.
fn can_be_called(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(interface) => interface
            .exports(engine)
            .any(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_))),
        _ => true,
    }
}
