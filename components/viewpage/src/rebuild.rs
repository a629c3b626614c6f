//! Making the read model anew while the old one answers.
//!
//! The host leads, in short steps under `/internal/rebuild`: *begin* an empty generation, give it the
//! *events* of the log from the first one on, let it ask the other contexts for the *state* of what
//! the log does not tell any more (retention has cut it), *finish*: the new generation answers; and,
//! when nobody can still be reading the old one, *tidy*. Live events go to both generations meanwhile
//! ([`crate::view`]), and every write is guarded by the version of what it tells of, so nothing here
//! depends on what comes first.
//!
//! Aggregates are found by their numbers, which begin at 1 without a gap that matters, and not by
//! pages, which a deletion shifts while they are turned. Only what no event has told of is asked for.

use crate::{
    Database, ReadModelStore, RowUpdate, SqlValue,
    ports::{ContextClient, SourceContext},
};
use events::{CarState, CloudEvent, PaymentState, ReservationState};
use http::{Method, StatusCode};
use kit::http::{Problem, Request, Response, Route, json_response, serve};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

/// How many aggregates one step asks other contexts for, at most: it has to end well before its
/// deadline.
const MAX_READS_PER_STEP: u64 = 50;

/// How many numbers one step looks through.
const MAX_IDS_PER_STEP: u64 = 1000;

/// What the host asks for.
#[derive(Clone, Copy)]
enum RebuildStep {
    Begin,
    Events,
    State,
    Finish,
    Tidy,
}

/// How far the contexts have been asked: all numbers up to `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    owner: SourceContext,
    after: u64,
}

/// Whether a request is one of the host's steps.
#[must_use]
pub fn is_rebuild_path(path: &str) -> bool {
    path.starts_with("/internal/rebuild")
}

/// Takes one step.
pub async fn answer<R: Database>(
    view: &ReadModelStore<R>,
    contexts: &impl ContextClient,
    request: Request,
) -> Response {
    serve(request, route, async |step, request| {
        let told = match step {
            RebuildStep::Begin if request.method() == Method::DELETE => abandon(view).await?,
            RebuildStep::Begin => begin(view).await?,
            RebuildStep::Events => events(view, &body::<Vec<Json>>(&request)?).await?,
            RebuildStep::State => state(view, contexts, cursor(&request)?).await?,
            RebuildStep::Finish => finish(view).await?,
            RebuildStep::Tidy => tidy(view).await?,
        };
        Ok(json_response(StatusCode::OK, "application/json", &told))
    })
    .await
}

fn route(path: &[&str]) -> Option<Route<RebuildStep>> {
    let (resource, methods): (_, &[Method]) = match path {
        ["internal", "rebuild"] => (RebuildStep::Begin, &[Method::POST, Method::DELETE]),
        ["internal", "rebuild", "events"] => (RebuildStep::Events, &[Method::POST]),
        ["internal", "rebuild", "state"] => (RebuildStep::State, &[Method::POST]),
        ["internal", "rebuild", "finish"] => (RebuildStep::Finish, &[Method::POST]),
        ["internal", "rebuild", "tidy"] => (RebuildStep::Tidy, &[Method::POST]),
        _ => return None,
    };
    Some(Route { resource, methods })
}

async fn begin<R: Database>(view: &ReadModelStore<R>) -> Result<Json, Problem> {
    let generation = view.begin_rebuild().await?;
    view.drop_unused().await?;
    Ok(json!({ "generation": generation.number() }))
}

/// An event that is none is passed over here: it is among the dead letters, where it belongs.
async fn events<R: Database>(view: &ReadModelStore<R>, events: &[Json]) -> Result<Json, Problem> {
    let filling = view.building().await?.ok_or_else(nothing_is_filled)?;
    let mut taken = 0;
    for event in events {
        if let Ok(event) = CloudEvent::parse(event.to_string().as_bytes()) {
            filling.project(&event).await?;
            taken += 1;
        }
    }
    Ok(json!({ "taken": taken }))
}

async fn state<R: Database>(
    view: &ReadModelStore<R>,
    contexts: &impl ContextClient,
    cursor: Cursor,
) -> Result<Json, Problem> {
    let filling = view.building().await?.ok_or_else(nothing_is_filled)?;
    let Cursor { owner, after } = cursor;
    let until = newest(contexts, owner).await?.min(after + MAX_IDS_PER_STEP);
    let (table, id) = owner.table();
    let known = format!("SELECT {id} FROM ${table} WHERE {id} > ?1 AND {id} <= ?2");
    let known = filling.run(&known, &[after.into(), until.into()]).await?;
    let mut taken = 0;
    for number in after + 1..=until {
        if known.contains(&vec![SqlValue::from(number)]) {
            continue;
        }
        if taken == MAX_READS_PER_STEP {
            let next = Cursor {
                owner,
                after: number - 1,
            };
            return Ok(json!({ "taken": taken, "next": next }));
        }
        taken += 1;
        let path = format!("/{}/{number}", owner.plural());
        if let Some(found) = contexts.read(owner, &path).await? {
            let version = found.version.unwrap_or_default();
            match owner {
                SourceContext::Car => {
                    let car: CarState = typed(found.body)?;
                    filling.apply(RowUpdate::Car(&car), version, "").await?;
                }
                SourceContext::Reservation => {
                    let reservation: ReservationState = typed(found.body)?;
                    let row_update = match reservation.status.as_str() {
                        "rejected" => RowUpdate::ReservationRejected(&reservation),
                        _ => RowUpdate::Reservation(&reservation),
                    };
                    filling.apply(row_update, version, "").await?;
                }
                SourceContext::Payment => {
                    let payment: PaymentState = typed(found.body)?;
                    filling
                        .apply(RowUpdate::Payment(&payment), version, "")
                        .await?;
                }
            }
        }
    }
    let next = match until == after {
        true => owner.next().map(|owner| Cursor { owner, after: 0 }),
        false => Some(Cursor {
            owner,
            after: until,
        }),
    };
    Ok(json!({ "taken": taken, "next": next }))
}

/// The greatest number that the context has given out.
async fn newest(contexts: &impl ContextClient, owner: SourceContext) -> Result<u64, Problem> {
    let (plural, (_, id)) = (owner.plural(), owner.table());
    let path = format!("/{plural}?size=1&sort={id},desc");
    let page = contexts.read(owner, &path).await?;
    let newest = page.and_then(|page| page.body["_embedded"][plural][0][id].as_u64());
    Ok(newest.unwrap_or_default())
}

async fn finish<R: Database>(view: &ReadModelStore<R>) -> Result<Json, Problem> {
    let count = "SELECT count(*) FROM $carviews";
    let before = view.active().await?.run(count, &[]).await?;
    view.activate().await?.ok_or_else(nothing_is_filled)?;
    let after = view.active().await?.run(count, &[]).await?;
    let number = |rows: &[Vec<SqlValue>]| match rows.first().map(Vec::as_slice) {
        Some([SqlValue::Number(number)]) => *number,
        _ => 0,
    };
    Ok(json!({ "rows": number(&after), "before": number(&before) }))
}

async fn abandon<R: Database>(view: &ReadModelStore<R>) -> Result<Json, Problem> {
    view.abandon().await?;
    tidy(view).await
}

async fn tidy<R: Database>(view: &ReadModelStore<R>) -> Result<Json, Problem> {
    view.drop_unused().await?;
    Ok(json!({}))
}

fn nothing_is_filled() -> Problem {
    Problem::conflict(
        "no-rebuild",
        "No rebuild is under way",
        "another one has taken its place, or it was given up; begin anew",
    )
}

/// The host sends back what it was told, and nothing the first time.
fn cursor(request: &Request) -> Result<Cursor, Problem> {
    let first = Cursor {
        owner: SourceContext::Car,
        after: 0,
    };
    match request.body().is_empty() {
        true => Ok(first),
        false => body(request),
    }
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    serde_json::from_slice(request.body())
        .map_err(|error| Problem::malformed_json(error.to_string()))
}

fn typed<T: DeserializeOwned>(body: Json) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|error| {
        Problem::unavailable(format!("a context says what it should not: {error}"), 1)
    })
}

#[cfg(test)]
mod tests;
