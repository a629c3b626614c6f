//! `/chaos`: trouble on request, on a platform that was started with `--chaos` and on no other.

use std::sync::Arc;

use serde_json::json;

use super::answer::{Answer, Refusal, json};
use super::routes::{Asked, Routes};
use crate::chaos::{Experiment, Laboratory};

type Maybe = Option<Arc<Laboratory>>;

/// What can be done with experiments; without a laboratory everything is refused.
pub fn routes(laboratory: Maybe) -> Routes<Maybe> {
    Routes::of(laboratory)
        .get("/chaos", list)
        .post("/chaos", begin)
        .delete("/chaos", end_all)
        .delete("/chaos/{id}", end)
}

fn allowed(laboratory: Maybe) -> Result<Arc<Laboratory>, Refusal> {
    laboratory.ok_or_else(|| {
        Refusal::forbidden("this platform does not make trouble: start it with --chaos for that")
    })
}

async fn list(laboratory: Maybe, _: Asked) -> Answer {
    json(&json!({ "experiments": allowed(laboratory)?.list() }))
}

async fn begin(laboratory: Maybe, asked: Asked) -> Answer {
    let laboratory = allowed(laboratory)?;
    let experiment: Experiment = asked.json()?;
    let begun = laboratory.begin(experiment);
    json(&begun.map_err(Refusal::invalid)?)
}

async fn end(laboratory: Maybe, asked: Asked) -> Answer {
    let laboratory = allowed(laboratory)?;
    let id = asked.parameter("id");
    match id.parse().is_ok_and(|id| laboratory.end(id)) {
        true => json(&json!({ "ended": id })),
        false => Err(Refusal::not_found(format!("experiment {id} is not on"))),
    }
}

async fn end_all(laboratory: Maybe, _: Asked) -> Answer {
    allowed(laboratory)?.end_all();
    json(&json!({ "experiments": [] }))
}
