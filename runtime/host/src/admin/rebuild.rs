//! `/rebuild/{component}`: makes a read model anew ([`crate::rebuild`]). It goes on by itself; `GET` tells how far it is.

use std::sync::Arc;

use super::answer::{Answer, Refusal, json};
use super::routes::{Asked, Routes};
use crate::rebuild::{NotBegun, Rebuilds};

/// What can be done about read models.
pub fn routes(rebuilds: Arc<Rebuilds>) -> Routes<Arc<Rebuilds>> {
    Routes::of(rebuilds)
        .get("/rebuild/{component}", show)
        .post("/rebuild/{component}", begin)
}

async fn begin(rebuilds: Arc<Rebuilds>, asked: Asked) -> Answer {
    let component = asked.parameter("component");
    match rebuilds.begin(component) {
        Ok(()) => json(&rebuilds.progress(component)),
        Err(error @ NotBegun::Unknown) => {
            Err(Refusal::not_found(format!("`{component}`: {error}")))
        }
        Err(error @ NotBegun::UnderWay) => {
            Err(Refusal::conflict(format!("`{component}`: {error}")))
        }
    }
}

async fn show(rebuilds: Arc<Rebuilds>, asked: Asked) -> Answer {
    let component = asked.parameter("component");
    match rebuilds.progress(component) {
        Some(progress) => json(&progress),
        None => Err(Refusal::not_found(format!(
            "`{component}` was not rebuilt since this host started"
        ))),
    }
}
