//! `GET /instances`: the instance pool of each component.

use std::collections::BTreeMap;

use serde::Serialize;

use super::response::{AdminResponse, json};
use super::routes::{AdminRequest, AdminRoutes};
use crate::generation::CurrentGeneration;
use crate::instance::pool::PoolStats;

#[derive(Serialize)]
struct Instances {
    generation: u64,
    components: BTreeMap<String, PoolStats>,
}

/// The route of the instance pools.
pub fn routes(current: CurrentGeneration) -> AdminRoutes<CurrentGeneration> {
    AdminRoutes::of(current).get("/instances", show)
}

async fn show(current: CurrentGeneration, _: AdminRequest) -> AdminResponse {
    let generation = current.get();
    let components = generation.components.iter();
    json(&Instances {
        generation: generation.number,
        components: components
            .map(|(id, ingress)| (id.clone(), ingress.component.stats()))
            .collect(),
    })
}
