//! `POST /reload`: replaces the running generation, as `socar reload` and SIGHUP do.

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::response::{AdminError, AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
/// The result of a reload.
#[derive(Clone, Debug, Serialize)]
pub struct ReloadReport {
    /// The number of the generation that now runs.
    pub generation: u64,
    /// The ids of its components.
    pub components: Vec<String>,
}

/// A request for a reload: the channel for its report, or for the reason of the refusal.
pub type ReloadRequest = oneshot::Sender<Result<ReloadReport, String>>;

type ReloadRequests = mpsc::Sender<ReloadRequest>;

/// The routes, which send each request to the reloader.
pub fn routes(requests: ReloadRequests) -> AdminRoutes<ReloadRequests> {
    AdminRoutes::of(requests).post("/reload", reload)
}

async fn reload(requests: ReloadRequests, _: AdminRequest) -> AdminResponse {
    let stopping = || AdminError::unavailable("the platform is stopping");
    let (report, outcome) = oneshot::channel();
    requests.send(report).await.map_err(|_| stopping())?;
    match outcome.await {
        Ok(Ok(report)) => json(&report),
        Ok(Err(reason)) => Err(AdminError::invalid(reason)),
        Err(_) => Err(stopping()),
    }
}
