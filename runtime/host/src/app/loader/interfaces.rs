//! Checks at the start whether a component matches its manifest.
//!
//! A trigger without a handler stops the start. An import without a grant is a warning, because a component may import
//! more than it calls.

use anyhow::bail;
use tracing::warn;
use wasmtime::Engine;
use wasmtime::component::Component as Code;
use wasmtime::component::types::ComponentItem;

use crate::instance::functions::ExportedFunctions;
use config::manifest::{App, Component, RouteHandler};

/// The exports of a component that the host calls.
pub struct Exports {
    /// The handler of requests that the component exports.
    pub requests: Option<RequestExport>,
    /// The component exports `spin:redis/inbound-redis`.
    pub messages: bool,
    /// The functions that other components may call.
    pub functions: ExportedFunctions,
}

/// How a component handles requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestExport {
    /// By `wasi:http/handler` of WASI 0.3.
    Handler,
    /// By `wasi:http/incoming-handler` of WASI 0.2.
    IncomingHandler,
}

/// Whether a component can be expected to call everything that it imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportUse {
    /// It imports only what it calls.
    Called,
    /// It imports interfaces that the host does not serve, so it imports more than it calls.
    Unknown,
}

const HANDLER: &str = "wasi:http/handler@0.3.0";
const INCOMING_HANDLER: &str = "wasi:http/incoming-handler@0.2.";
const MESSAGES: &str = "spin:redis/inbound-redis@3.0.0";

/// Compares the imports with the grants, and the exports with the triggers. An import that is called and has no grant
/// is logged.
///
/// # Errors
/// When a trigger has no export; the message names the component, the key and the remedy.
pub fn check(
    engine: &Engine,
    code: &Code,
    component: &Component,
    app: &App,
    imports: ImportUse,
) -> anyhow::Result<Exports> {
    let kind = code.component_type();
    if imports == ImportUse::Called {
        let called = kind
            .imports(engine)
            .filter(|(_, item)| can_be_called(engine, &item.ty));
        if let Some(missing) = component.import_without_grant(called.map(|(name, _)| name)) {
            warn!(component = component.id.as_str(), "{missing}");
        }
    }
    let exports: Vec<String> = kind
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    let found = Exports {
        requests: exports.iter().find_map(|name| match name.as_str() {
            HANDLER => Some(RequestExport::Handler),
            name if name.starts_with(INCOMING_HANDLER) => Some(RequestExport::IncomingHandler),
            _ => None,
        }),
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
    if routed && found.requests.is_none() {
        bail!(
            "{manifest}: trigger.http: component `{id}` ({source}) does not export {HANDLER}: build it with spin-sdk 7, or remove the trigger"
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
