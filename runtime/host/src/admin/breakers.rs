//! `/breakers`: the breaker of every link, and the operations on one.
//!
//! `POST /breakers/force-open`, `/breakers/force-closed` and `/breakers/reset` take the body `{"link": "…"}`, because the
//! name of a link contains characters that a path segment cannot. The response is the new state of the breaker. Each
//! operation is idempotent. A breaker that is forced closed admits every call and records none; its state is called
//! `disabled`, and `/breakers/disable` is an alias of the operation.

use serde::Deserialize;
use serde_json::{Value, json};

use super::response::{AdminError, AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
use crate::link::LinkGuards;
use crate::link::registry::LinkRegistry;
use resilience::breaker::Breaker;

/// The body of an operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerSelector {
    link: String,
}

/// The routes of the breakers.
pub fn routes(links: LinkRegistry) -> AdminRoutes<LinkRegistry> {
    AdminRoutes::of(links)
        .get("/breakers", list)
        .post("/breakers/force-open", force_open)
        .post("/breakers/force-closed", disable)
        .post("/breakers/disable", disable)
        .post("/breakers/reset", reset)
}

async fn list(links: LinkRegistry, _: AdminRequest) -> AdminResponse {
    let links = links.all();
    let breakers: Vec<Value> = links.iter().filter_map(|link| snapshot(link)).collect();
    json(&json!({ "breakers": breakers }))
}

async fn force_open(links: LinkRegistry, request: AdminRequest) -> AdminResponse {
    operate(&links, &request, Breaker::force_open)
}

async fn disable(links: LinkRegistry, request: AdminRequest) -> AdminResponse {
    operate(&links, &request, Breaker::disable)
}

async fn reset(links: LinkRegistry, request: AdminRequest) -> AdminResponse {
    operate(&links, &request, Breaker::reset)
}

fn operate(links: &LinkRegistry, request: &AdminRequest, operation: fn(&Breaker)) -> AdminResponse {
    let BreakerSelector { link: name } = request.json()?;
    let link = links
        .find(&name)
        .ok_or_else(|| AdminError::not_found(format!("there is no link `{name}`")))?;
    let breaker = link
        .breaker()
        .ok_or_else(|| AdminError::conflict(format!("link `{name}` has no breaker")))?;
    operation(breaker);
    json(&snapshot(&link))
}

fn snapshot(link: &LinkGuards) -> Option<Value> {
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
            "refused": totals.rejected,
        },
    }))
}
