//! A rebuild of the read model while the old one serves queries.
//!
//! The host drives it in short steps under `/internal/rebuild`:
//!
//! 1. *begin*: create an empty generation.
//! 2. *events*: project the events of the log, from the first one on.
//! 3. *state*: read the aggregates of which the log has no event any more ([`backfill`]).
//! 4. *finish*: make the new generation active.
//! 5. *tidy*: drop the old generation, once no query reads it any more.
//!
//! Live events go to both generations meanwhile ([`crate::read_model_store`]). Every update is guarded by the version of its
//! aggregate, so the result does not depend on the order of the steps.

pub mod backfill;

use crate::{
    ports::{Database, Records},
    read_model_store::ReadModelStore,
    sql_value::SqlValue,
};
use events::CloudEvent;
use http::{Method, StatusCode};
use kit::http::{Problem, Request, Response, ResponseFuture, json_response, serve};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

/// Whether a path belongs to the rebuild.
#[must_use]
pub fn is_rebuild_path(path: &str) -> bool {
    path.starts_with("/internal/rebuild")
}

/// Handles one step.
pub async fn handle<D: Database>(
    store: &ReadModelStore<D>,
    records: &impl Records,
    request: Request,
) -> Response {
    serve(&request, |method, path| {
        route(store, records, &request, method, path)
    })
    .await
}

/// The routes, one line per step.
fn route<'a, D: Database>(
    store: &'a ReadModelStore<D>,
    records: &'a impl Records,
    request: &'a Request,
    method: &Method,
    path: &[&str],
) -> Option<ResponseFuture<'a>> {
    let ["internal", "rebuild", step @ ..] = path else {
        return None;
    };
    Some(match (method.as_str(), step) {
        ("POST", []) => Box::pin(begin(store)),
        ("DELETE", []) => Box::pin(abandon(store)),
        ("POST", ["events"]) => Box::pin(project(store, request)),
        ("POST", ["state"]) => Box::pin(read_state(store, records, request)),
        ("POST", ["finish"]) => Box::pin(finish(store)),
        ("POST", ["tidy"]) => Box::pin(tidy(store)),
        _ => return None,
    })
}

async fn begin<D: Database>(store: &ReadModelStore<D>) -> Result<Response, Problem> {
    let generation = store.begin_rebuild().await?;
    store.drop_unused().await?;
    Ok(ok(&json!({ "generation": generation.number() })))
}

async fn abandon<D: Database>(store: &ReadModelStore<D>) -> Result<Response, Problem> {
    store.abandon().await?;
    tidy(store).await
}

/// Projects a batch of events. Invalid ones are skipped: they are among the dead letters.
async fn project<D: Database>(
    store: &ReadModelStore<D>,
    request: &Request,
) -> Result<Response, Problem> {
    let batch: Vec<Json> = parse(request)?;
    let building = store.building().await?.ok_or_else(no_rebuild)?;
    let mut taken = 0;
    for event in batch {
        if let Ok(event) = CloudEvent::parse(event.to_string().as_bytes()) {
            building.project(&event).await?;
            taken += 1;
        }
    }
    Ok(ok(&json!({ "taken": taken })))
}

/// The host sends back the cursor of the last response; the first request has no body.
async fn read_state<D: Database>(
    store: &ReadModelStore<D>,
    records: &impl Records,
    request: &Request,
) -> Result<Response, Problem> {
    let cursor = match request.body().is_empty() {
        true => backfill::Cursor::START,
        false => parse(request)?,
    };
    let building = store.building().await?.ok_or_else(no_rebuild)?;
    let step = backfill::step(&building, records, cursor).await?;
    Ok(ok(&json!({ "taken": step.taken, "next": step.next })))
}

async fn finish<D: Database>(store: &ReadModelStore<D>) -> Result<Response, Problem> {
    let before = count_rows(store).await?;
    store.activate().await?.ok_or_else(no_rebuild)?;
    let after = count_rows(store).await?;
    Ok(ok(&json!({ "rows": after, "before": before })))
}

async fn tidy<D: Database>(store: &ReadModelStore<D>) -> Result<Response, Problem> {
    store.drop_unused().await?;
    Ok(ok(&json!({})))
}

/// The number of rows of the active generation.
async fn count_rows<D: Database>(store: &ReadModelStore<D>) -> Result<i64, Problem> {
    let active = store.active().await?;
    let rows = active.run("SELECT count(*) FROM $carviews", &[]).await?;
    Ok(match rows.first().map(Vec::as_slice) {
        Some([SqlValue::Number(number)]) => *number,
        _ => 0,
    })
}

fn ok(body: &Json) -> Response {
    json_response(StatusCode::OK, "application/json", body)
}

fn no_rebuild() -> Problem {
    Problem::conflict(
        "no-rebuild",
        "No rebuild is under way",
        "another one has taken its place, or it was given up; begin anew",
    )
}

fn parse<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    serde_json::from_slice(request.body())
        .map_err(|error| Problem::malformed_json(error.to_string()))
}

#[cfg(test)]
mod tests;
