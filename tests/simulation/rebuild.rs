//! The rebuild of the read model, step by step as the host drives it, while everything else goes on.

use crate::{context::ContextId, mutation::Mutation, request::request, world::World};
use http::Method;
use serde_json::{Value, json};
use std::rc::Rc;

/// The host waits this long for the response to a step, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;
/// The number of events in one step.
const BATCH: usize = 8;
/// The number of times that a step is repeated.
const ATTEMPTS: usize = 4;

/// Rebuilds the read model; gives the rebuild up if a step fails.
pub async fn rebuild(world: &Rc<World>) {
    if run(world).await.is_none() {
        world.trace(|| "the rebuild is given up".into());
        post(world, "DELETE", "", "").await;
    }
}

/// The steps; nothing if one of them fails.
async fn run(world: &Rc<World>) -> Option<()> {
    step(world, "", "").await?;
    for batch in world.log.retained().chunks(BATCH) {
        let events: Vec<Value> = batch.iter().map(|event| json!(**event)).collect();
        step(world, "/events", &json!(events).to_string()).await?;
    }
    let mut next = String::new();
    while !world.has_mutation(Mutation::RebuildReadsLogOnly) {
        let read = step(world, "/state", &next).await?;
        match &read["next"] {
            Value::Null => break,
            cursor => next = cursor.to_string(),
        }
    }
    step(world, "/finish", "").await?;
    step(world, "/tidy", "").await?;
    Some(())
}

async fn step(world: &Rc<World>, path: &str, body: &str) -> Option<Value> {
    for _ in 0..ATTEMPTS {
        let response = post(world, "POST", path, body).await;
        if let Some((status, body)) = response {
            match status {
                200 => return Some(body),
                409 => return None,
                _ => world.sleep(500).await,
            }
        }
    }
    None
}

async fn post(world: &Rc<World>, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    let path = format!("/internal/rebuild{path}");
    let request = request(method, &path, &[], body);
    let response = world.call(ContextId::View, request, TIMEOUT_MS).await?;
    let body = serde_json::from_slice(response.body()).unwrap_or_default();
    Some((response.status().as_u16(), body))
}
