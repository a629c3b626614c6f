//! `/rebuild/{component}`: POST starts the rebuild of a read model ([`crate::rebuild`]), GET returns its progress.

use std::sync::Arc;

use super::response::{AdminError, AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
use crate::rebuild::{NotBegun, Rebuilds};

/// The routes of the rebuilds.
pub fn routes(rebuilds: Arc<Rebuilds>) -> AdminRoutes<Arc<Rebuilds>> {
    AdminRoutes::of(rebuilds)
        .get("/rebuild/{component}", show)
        .post("/rebuild/{component}", begin)
}

async fn begin(rebuilds: Arc<Rebuilds>, request: AdminRequest) -> AdminResponse {
    let component = request.parameter("component");
    match rebuilds.begin(component) {
        Ok(()) => json(&rebuilds.progress(component)),
        Err(error @ NotBegun::Unknown) => {
            Err(AdminError::not_found(format!("`{component}`: {error}")))
        }
        Err(error @ NotBegun::UnderWay) => {
            Err(AdminError::conflict(format!("`{component}`: {error}")))
        }
    }
}

async fn show(rebuilds: Arc<Rebuilds>, request: AdminRequest) -> AdminResponse {
    let component = request.parameter("component");
    match rebuilds.progress(component) {
        Some(progress) => json(&progress),
        None => Err(AdminError::not_found(format!(
            "`{component}` was not rebuilt since this host started"
        ))),
    }
}
