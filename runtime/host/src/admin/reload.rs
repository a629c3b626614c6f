//! `POST /reload`: what `socar reload` and SIGHUP do, with an answer.

use tokio::sync::{mpsc, oneshot};

use super::answer::{Answer, Refusal, json};
use super::routes::{Asked, Routes};
use crate::app::reload::Wish;

type Wishes = mpsc::Sender<Wish>;

/// The way to a newer version.
pub fn routes(wishes: Wishes) -> Routes<Wishes> {
    Routes::of(wishes).post("/reload", reload)
}

async fn reload(wishes: Wishes, _: Asked) -> Answer {
    let stopping = || Refusal::unavailable("the platform is stopping");
    let (told, outcome) = oneshot::channel();
    wishes.send(told).await.map_err(|_| stopping())?;
    match outcome.await {
        Ok(Ok(report)) => json(&report),
        Ok(Err(reason)) => Err(Refusal::invalid(reason)),
        Err(_) => Err(stopping()),
    }
}
