//! `/dead-letters`: lists, redrives and discards dead letters, like `socar dead-letters`.
//!
//! A second redrive or discard of the same dead letter is 404, because the first one removed it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::response::{AdminError, AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
use event_log::dead_letters::{self, DeadLetter};
use event_log::{EntryId, EventLog};
use storage::database::{CommitWatermark, Database};

/// The number of dead letters on a page: the default and the maximum.
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

/// The event log, and the embedded database if it is there: an answer waits until the change is durable.
#[derive(Clone)]
pub struct LetterLog {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The database of an embedded log.
    pub database: Option<Arc<Database>>,
}

/// A page of dead letters.
#[derive(Serialize)]
struct DeadLetterPage {
    letters: Vec<DeadLetter>,
    /// The path of the next page, if there may be one.
    next: Option<String>,
}

/// The routes of the dead letters.
pub fn routes(log: LetterLog) -> AdminRoutes<LetterLog> {
    AdminRoutes::of(log)
        .get("/dead-letters", list)
        .get("/dead-letters/{id}", show)
        .post("/dead-letters/{id}/redrive", redrive)
        .delete("/dead-letters/{id}", discard)
}

async fn list(LetterLog { log, .. }: LetterLog, request: AdminRequest) -> AdminResponse {
    let after = request.query("after").map(|id| parse(&id)).transpose()?;
    let limit = match request.query("limit").map(|limit| limit.parse()) {
        None => DEFAULT_PAGE,
        Some(Ok(limit)) if (1..=MAX_PAGE).contains(&limit) => limit,
        Some(_) => {
            return Err(AdminError::bad_request(format!(
                "limit: a number from 1 to {MAX_PAGE}"
            )));
        }
    };
    let letters = dead_letters::list(&*log, after, limit).await?;
    let last = letters.get(limit - 1);
    let next = last.map(|last| format!("/dead-letters?limit={limit}&after={}", last.id));
    json(&DeadLetterPage { letters, next })
}

async fn show(LetterLog { log, .. }: LetterLog, request: AdminRequest) -> AdminResponse {
    let id = request.parameter("id");
    match dead_letters::show(&*log, parse(id)?).await? {
        Some(letter) => json(&letter),
        None => Err(not_found(id)),
    }
}

async fn redrive(letters: LetterLog, request: AdminRequest) -> AdminResponse {
    let id = request.parameter("id");
    let writes = letters.writes();
    let is_redriven = dead_letters::redrive(&*letters.log, parse(id)?).await?;
    kept(writes).await?;
    match is_redriven {
        true => json(&json!({ "redriven": id })),
        false => Err(not_found(id)),
    }
}

async fn discard(letters: LetterLog, request: AdminRequest) -> AdminResponse {
    let id = request.parameter("id");
    let writes = letters.writes();
    let is_discarded = dead_letters::discard(&*letters.log, parse(id)?).await?;
    kept(writes).await?;
    match is_discarded {
        true => json(&json!({ "discarded": id })),
        false => Err(not_found(id)),
    }
}

// === impl LetterLog ===

impl LetterLog {
    fn writes(&self) -> Option<CommitWatermark> {
        self.database
            .as_ref()
            .map(|database| CommitWatermark::from_now(database))
    }
}

async fn kept(writes: Option<CommitWatermark>) -> Result<(), AdminError> {
    match writes {
        Some(writes) => writes.wait_durable().await.map_err(|error| {
            AdminError::unavailable(format!("the change could not be kept: {error}"))
        }),
        None => Ok(()),
    }
}

fn parse(id: &str) -> Result<EntryId, AdminError> {
    id.parse()
        .map_err(|_| AdminError::bad_request(format!("`{id}` is not the id of a dead letter")))
}

fn not_found(id: &str) -> AdminError {
    AdminError::not_found(format!("there is no dead letter {id}"))
}
