//! `POST /reload`: what `socar reload` and SIGHUP do, with an answer.

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::answer::{Answer, Refusal, json};
use super::routes::{Asked, Routes};
/// What an operator is told.
#[derive(Clone, Debug, Serialize)]
pub struct ReloadReport {
    /// The number of the version that now runs.
    pub generation: u64,
    /// Its components.
    pub components: Vec<String>,
}

/// A request for a reload: the channel for its report, or for the reason of the refusal.
pub type ReloadRequest = oneshot::Sender<Result<ReloadReport, String>>;

type ReloadRequests = mpsc::Sender<ReloadRequest>;

/// The way to a newer version.
pub fn routes(requests: ReloadRequests) -> Routes<ReloadRequests> {
    Routes::of(requests).post("/reload", reload)
}

async fn reload(requests: ReloadRequests, _: Asked) -> Answer {
    let stopping = || Refusal::unavailable("the platform is stopping");
    let (told, outcome) = oneshot::channel();
    requests.send(told).await.map_err(|_| stopping())?;
    match outcome.await {
        Ok(Ok(report)) => json(&report),
        Ok(Err(reason)) => Err(Refusal::invalid(reason)),
        Err(_) => Err(stopping()),
    }
}
