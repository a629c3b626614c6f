//! `/breakers`: the breaker of every link, and what an operator may tell one.
//!
//! `POST /breakers/force-open`, `/breakers/force-closed` and `/breakers/reset` with the body `{"link": "…"}`: names of
//! links hold what a path cannot. The answer is the breaker as it then is. Saying the same twice is saying it once. A
//! breaker that is forced closed lets every call through and counts none, which its state calls `disabled`; so
//! `/breakers/disable` is the same order.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, json};
use super::routes::{Asked, Routes};
use crate::link::Link;
use crate::link::switchboard::Board;
use resilience::breaker::Breaker;

/// Whom an order is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    link: String,
}

/// What can be seen of breakers and told to them.
pub fn routes(board: Board) -> Routes<Board> {
    Routes::of(board)
        .get("/breakers", list)
        .post("/breakers/force-open", force_open)
        .post("/breakers/force-closed", disable)
        .post("/breakers/disable", disable)
        .post("/breakers/reset", reset)
}

async fn list(board: Board, _: Asked) -> Answer {
    let links = board.all();
    let breakers: Vec<Value> = links.iter().filter_map(|link| shown(link)).collect();
    json(&json!({ "breakers": breakers }))
}

async fn force_open(board: Board, asked: Asked) -> Answer {
    steer(&board, &asked, Breaker::force_open)
}

async fn disable(board: Board, asked: Asked) -> Answer {
    steer(&board, &asked, Breaker::disable)
}

async fn reset(board: Board, asked: Asked) -> Answer {
    steer(&board, &asked, Breaker::reset)
}

fn steer(board: &Board, asked: &Asked, order: fn(&Breaker)) -> Answer {
    let Order { link: name } = asked.json()?;
    let link = board
        .find(&name)
        .ok_or_else(|| Refusal::not_found(format!("there is no link `{name}`")))?;
    let breaker = link
        .breaker()
        .ok_or_else(|| Refusal::conflict(format!("link `{name}` has no breaker")))?;
    order(breaker);
    json(&shown(&link))
}

fn shown(link: &Link) -> Option<Value> {
    let snapshot = link.breaker()?.snapshot();
    let totals = snapshot.totals;
    Some(json!({
        "link": &**link.name(),
        "state": snapshot.state.as_str(),
        "sinceMs": u64::try_from(snapshot.since.as_millis()).unwrap_or(u64::MAX),
        "retryAfterMs": snapshot.retry_after.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        "window": {
            "calls": snapshot.window.calls,
            "failed": snapshot.window.failed,
            "slow": snapshot.window.slow,
        },
        "consecutiveFailures": snapshot.consecutive_failures,
        "openings": snapshot.openings,
        "totals": {
            "succeeded": totals.succeeded,
            "slow": totals.slow,
            "failed": totals.failed,
            "ignored": totals.ignored,
            "refused": totals.refused,
        },
    }))
}
