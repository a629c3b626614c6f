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
    Fact, Rows, Value, View,
    ports::{Contexts, Owner},
};
use events::{CarState, CloudEvent, PaymentState, ReservationState};
use http::{Method, StatusCode};
use kit::http::{Problem, Request, Response, Route, json_response, serve};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

/// How many aggregates one step asks other contexts for, at most: it has to end well before its
/// deadline.
const ASKED: u64 = 50;

/// How many numbers one step looks through.
const LOOKED_AT: u64 = 1000;

/// What the host asks for.
#[derive(Clone, Copy)]
enum Step {
    Begin,
    Events,
    State,
    Finish,
    Tidy,
}

/// How far the contexts have been asked: all numbers up to `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    owner: Owner,
    after: u64,
}

/// Whether a request is one of the host's steps.
#[must_use]
pub fn is_step(path: &str) -> bool {
    path.starts_with("/internal/rebuild")
}

/// Takes one step.
pub async fn answer<R: Rows>(
    view: &View<R>,
    contexts: &impl Contexts,
    request: Request,
) -> Response {
    serve(request, route, async |step, request| {
        let told = match step {
            Step::Begin if request.method() == Method::DELETE => abandon(view).await?,
            Step::Begin => begin(view).await?,
            Step::Events => events(view, &body::<Vec<Json>>(&request)?).await?,
            Step::State => state(view, contexts, cursor(&request)?).await?,
            Step::Finish => finish(view).await?,
            Step::Tidy => tidy(view).await?,
        };
        Ok(json_response(StatusCode::OK, "application/json", &told))
    })
    .await
}

fn route(path: &[&str]) -> Option<Route<Step>> {
    let (resource, methods): (_, &[Method]) = match path {
        ["internal", "rebuild"] => (Step::Begin, &[Method::POST, Method::DELETE]),
        ["internal", "rebuild", "events"] => (Step::Events, &[Method::POST]),
        ["internal", "rebuild", "state"] => (Step::State, &[Method::POST]),
        ["internal", "rebuild", "finish"] => (Step::Finish, &[Method::POST]),
        ["internal", "rebuild", "tidy"] => (Step::Tidy, &[Method::POST]),
        _ => return None,
    };
    Some(Route { resource, methods })
}

async fn begin<R: Rows>(view: &View<R>) -> Result<Json, Problem> {
    let generation = view.begin().await?;
    view.tidy().await?;
    Ok(json!({ "generation": generation.number() }))
}

/// An event that is none is passed over here: it is among the dead letters, where it belongs.
async fn events<R: Rows>(view: &View<R>, events: &[Json]) -> Result<Json, Problem> {
    let filling = view.filling().await?.ok_or_else(nothing_is_filled)?;
    let mut taken = 0;
    for event in events {
        if let Ok(event) = CloudEvent::parse(event.to_string().as_bytes()) {
            filling.project(&event).await?;
            taken += 1;
        }
    }
    Ok(json!({ "taken": taken }))
}

async fn state<R: Rows>(
    view: &View<R>,
    contexts: &impl Contexts,
    cursor: Cursor,
) -> Result<Json, Problem> {
    let filling = view.filling().await?.ok_or_else(nothing_is_filled)?;
    let Cursor { owner, after } = cursor;
    let until = newest(contexts, owner).await?.min(after + LOOKED_AT);
    let (table, id) = owner.table();
    let known = format!("SELECT {id} FROM ${table} WHERE {id} > ?1 AND {id} <= ?2");
    let known = filling.run(&known, &[after.into(), until.into()]).await?;
    let mut taken = 0;
    for number in after + 1..=until {
        if known.contains(&vec![Value::from(number)]) {
            continue;
        }
        if taken == ASKED {
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
                Owner::Car => {
                    let car: CarState = typed(found.body)?;
                    filling.learn(Fact::Car(&car), version, "").await?;
                }
                Owner::Reservation => {
                    let reservation: ReservationState = typed(found.body)?;
                    let fact = match reservation.status.as_str() {
                        "rejected" => Fact::Rejected(&reservation),
                        _ => Fact::Reservation(&reservation),
                    };
                    filling.learn(fact, version, "").await?;
                }
                Owner::Payment => {
                    let payment: PaymentState = typed(found.body)?;
                    filling.learn(Fact::Payment(&payment), version, "").await?;
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
async fn newest(contexts: &impl Contexts, owner: Owner) -> Result<u64, Problem> {
    let (plural, (_, id)) = (owner.plural(), owner.table());
    let path = format!("/{plural}?size=1&sort={id},desc");
    let page = contexts.read(owner, &path).await?;
    let newest = page.and_then(|page| page.body["_embedded"][plural][0][id].as_u64());
    Ok(newest.unwrap_or_default())
}

async fn finish<R: Rows>(view: &View<R>) -> Result<Json, Problem> {
    let count = "SELECT count(*) FROM $carviews";
    let before = view.answering().await?.run(count, &[]).await?;
    view.finish().await?.ok_or_else(nothing_is_filled)?;
    let after = view.answering().await?.run(count, &[]).await?;
    let number = |rows: &[Vec<Value>]| match rows.first().map(Vec::as_slice) {
        Some([Value::Number(number)]) => *number,
        _ => 0,
    };
    Ok(json!({ "rows": number(&after), "before": number(&before) }))
}

async fn abandon<R: Rows>(view: &View<R>) -> Result<Json, Problem> {
    view.abandon().await?;
    tidy(view).await
}

async fn tidy<R: Rows>(view: &View<R>) -> Result<Json, Problem> {
    view.tidy().await?;
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
        owner: Owner::Car,
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
