//! `/chaos`: fault injection, on a host that was started with `--chaos`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::response::{AdminError, AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
use crate::fault_injection::{EVENTS, FaultInjector, FaultSpec, InjectableCalls, OUTSIDE};
use crate::generation::{CurrentGeneration, Generation};

/// Fault injection, and the application whose calls it affects.
#[derive(Clone)]
pub struct FaultInjection {
    /// Present if fault injection is allowed.
    pub injector: Option<Arc<FaultInjector>>,
    /// The generation whose components a fault may name.
    pub current: CurrentGeneration,
}

/// The routes of fault injection; without an injector every request is refused (403).
pub fn routes(injection: FaultInjection) -> AdminRoutes<FaultInjection> {
    AdminRoutes::of(injection)
        .get("/chaos", list)
        .post("/chaos", begin)
        .delete("/chaos", end_all)
        .delete("/chaos/{id}", end)
}

fn allowed(injection: FaultInjection) -> Result<Arc<FaultInjector>, AdminError> {
    injection.injector.ok_or_else(|| {
        AdminError::forbidden("fault injection is not allowed: start the host with --chaos")
    })
}

async fn list(injector: FaultInjection, _: AdminRequest) -> AdminResponse {
    json(&json!({ "experiments": allowed(injector)?.list() }))
}

async fn begin(injection: FaultInjection, request: AdminRequest) -> AdminResponse {
    let generation = injection.current.get();
    let injector = allowed(injection)?;
    let fault: FaultSpec = request.json()?;
    fault
        .check_names(&*generation)
        .map_err(AdminError::invalid)?;
    let seconds = Duration::from_secs(fault.seconds);
    let begun = injector.begin(fault).map_err(AdminError::invalid)?;
    // The end is logged when it comes, and not with the next call.
    tokio::spawn(async move {
        tokio::time::sleep(seconds).await;
        injector.end_expired();
    });
    json(&begun)
}

async fn end(injector: FaultInjection, request: AdminRequest) -> AdminResponse {
    let injector = allowed(injector)?;
    let id = request.parameter("id");
    match id.parse().is_ok_and(|id| injector.end(id)) {
        true => json(&json!({ "ended": id })),
        false => Err(AdminError::not_found(format!(
            "there is no active fault {id}"
        ))),
    }
}

async fn end_all(injector: FaultInjection, _: AdminRequest) -> AdminResponse {
    allowed(injector)?.end_all();
    json(&json!({ "experiments": [] }))
}

impl InjectableCalls for Generation {
    fn components(&self) -> BTreeSet<String> {
        self.components.keys().cloned().collect()
    }

    fn callers(&self, component: &str) -> BTreeSet<String> {
        // The links of clients and of the clock have names of their own.
        let linked = self.links.callers(component).into_iter();
        let mut callers: BTreeSet<_> = linked
            .filter(|caller| self.components.contains_key(caller))
            .collect();
        callers.insert(OUTSIDE.to_owned());
        if self
            .subscriptions
            .iter()
            .any(|it| it.component == component)
        {
            callers.insert(EVENTS.to_owned());
        }
        callers
    }

    fn callers_of_origin(&self, origin: &str) -> BTreeSet<String> {
        let (scheme, _) = origin.split_once("://").unwrap_or_default();
        let may_call = self
            .allowed_hosts
            .iter()
            .filter(|(_, hosts)| hosts.allows_url(origin, scheme));
        may_call.map(|(component, _)| component.clone()).collect()
    }
}
