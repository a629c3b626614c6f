//! `/chaos`: trouble on request, on a platform that was started with `--chaos` and on no other.

use std::sync::Arc;

use serde_json::json;

use super::response::{AdminError, AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
use crate::chaos::{Experiment, Laboratory};

type Maybe = Option<Arc<Laboratory>>;

/// What can be done with experiments; without a laboratory everything is refused.
pub fn routes(laboratory: Maybe) -> AdminRoutes<Maybe> {
    AdminRoutes::of(laboratory)
        .get("/chaos", list)
        .post("/chaos", begin)
        .delete("/chaos", end_all)
        .delete("/chaos/{id}", end)
}

fn allowed(laboratory: Maybe) -> Result<Arc<Laboratory>, AdminError> {
    laboratory.ok_or_else(|| {
        AdminError::forbidden("this platform does not make trouble: start it with --chaos for that")
    })
}

async fn list(laboratory: Maybe, _: AdminRequest) -> AdminResponse {
    json(&json!({ "experiments": allowed(laboratory)?.list() }))
}

async fn begin(laboratory: Maybe, request: AdminRequest) -> AdminResponse {
    let laboratory = allowed(laboratory)?;
    let experiment: Experiment = request.json()?;
    let begun = laboratory.begin(experiment);
    json(&begun.map_err(AdminError::invalid)?)
}

async fn end(laboratory: Maybe, request: AdminRequest) -> AdminResponse {
    let laboratory = allowed(laboratory)?;
    let id = request.parameter("id");
    match id.parse().is_ok_and(|id| laboratory.end(id)) {
        true => json(&json!({ "ended": id })),
        false => Err(AdminError::not_found(format!("experiment {id} is not on"))),
    }
}

async fn end_all(laboratory: Maybe, _: AdminRequest) -> AdminResponse {
    allowed(laboratory)?.end_all();
    json(&json!({ "experiments": [] }))
}
