//! `/chaos`: fault injection, on a host that was started with `--chaos`.

use std::sync::Arc;

use serde_json::json;

use super::response::{AdminError, AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
use crate::fault_injection::{FaultInjector, FaultSpec};

type AllowedInjector = Option<Arc<FaultInjector>>;

/// The routes of fault injection; without an injector every request is refused (403).
pub fn routes(injector: AllowedInjector) -> AdminRoutes<AllowedInjector> {
    AdminRoutes::of(injector)
        .get("/chaos", list)
        .post("/chaos", begin)
        .delete("/chaos", end_all)
        .delete("/chaos/{id}", end)
}

fn allowed(injector: AllowedInjector) -> Result<Arc<FaultInjector>, AdminError> {
    injector.ok_or_else(|| {
        AdminError::forbidden("fault injection is not allowed: start the host with --chaos")
    })
}

async fn list(injector: AllowedInjector, _: AdminRequest) -> AdminResponse {
    json(&json!({ "experiments": allowed(injector)?.list() }))
}

async fn begin(injector: AllowedInjector, request: AdminRequest) -> AdminResponse {
    let injector = allowed(injector)?;
    let fault: FaultSpec = request.json()?;
    let begun = injector.begin(fault);
    json(&begun.map_err(AdminError::invalid)?)
}

async fn end(injector: AllowedInjector, request: AdminRequest) -> AdminResponse {
    let injector = allowed(injector)?;
    let id = request.parameter("id");
    match id.parse().is_ok_and(|id| injector.end(id)) {
        true => json(&json!({ "ended": id })),
        false => Err(AdminError::not_found(format!(
            "there is no active fault {id}"
        ))),
    }
}

async fn end_all(injector: AllowedInjector, _: AdminRequest) -> AdminResponse {
    allowed(injector)?.end_all();
    json(&json!({ "experiments": [] }))
}
