//! `/dead-letters`: the same as `socar dead-letters`, over HTTP.
//!
//! Giving a letter back, or throwing it away, twice is doing it once: the second time there is no such letter any more.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::answer::{Answer, Refusal, json};
use super::routes::{Asked, Routes};
use event_log::dead_letters::{self, DeadLetter};
use event_log::{EntryId, EventLog};

/// How many letters are told at a time if nobody says, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

type Log = Arc<dyn EventLog>;

/// Some letters, and where to go on.
#[derive(Serialize)]
struct Page {
    letters: Vec<DeadLetter>,
    /// The path of the next page, if this one is full.
    next: Option<String>,
}

/// What can be done with dead letters.
pub fn routes(log: Log) -> Routes<Log> {
    Routes::of(log)
        .get("/dead-letters", list)
        .get("/dead-letters/{id}", show)
        .post("/dead-letters/{id}/redrive", redrive)
        .delete("/dead-letters/{id}", discard)
}

async fn list(log: Log, asked: Asked) -> Answer {
    let after = asked.query("after").map(|id| parse(&id)).transpose()?;
    let limit = match asked.query("limit").map(|limit| limit.parse()) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => {
            return Err(Refusal::bad_request(format!(
                "limit: a number from 1 to {LARGEST_PAGE}"
            )));
        }
    };
    let letters = dead_letters::list(&*log, after, limit).await?;
    let last = letters.get(limit - 1);
    let next = last.map(|last| format!("/dead-letters?limit={limit}&after={}", last.id));
    json(&Page { letters, next })
}

async fn show(log: Log, asked: Asked) -> Answer {
    let id = asked.parameter("id");
    match dead_letters::show(&*log, parse(id)?).await? {
        Some(letter) => json(&letter),
        None => Err(gone(id)),
    }
}

async fn redrive(log: Log, asked: Asked) -> Answer {
    let id = asked.parameter("id");
    match dead_letters::redrive(&*log, parse(id)?).await? {
        true => json(&json!({ "redriven": id })),
        false => Err(gone(id)),
    }
}

async fn discard(log: Log, asked: Asked) -> Answer {
    let id = asked.parameter("id");
    match dead_letters::discard(&*log, parse(id)?).await? {
        true => json(&json!({ "discarded": id })),
        false => Err(gone(id)),
    }
}

fn parse(id: &str) -> Result<EntryId, Refusal> {
    id.parse()
        .map_err(|_| Refusal::bad_request(format!("`{id}` is no id of a dead letter")))
}

fn gone(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no dead letter {id} (any more)"))
}
