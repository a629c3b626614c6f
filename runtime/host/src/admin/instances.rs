//! `GET /instances`: how many instances each component has, as the load wants it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::{Answer, json};
use super::routes::{Asked, Routes};
use crate::generation::CurrentGeneration;
use crate::instance::population::Census;

#[derive(Serialize)]
struct Instances {
    generation: u64,
    components: BTreeMap<String, Census>,
}

/// What can be seen of instances.
pub fn routes(current: CurrentGeneration) -> Routes<CurrentGeneration> {
    Routes::of(current).get("/instances", show)
}

async fn show(current: CurrentGeneration, _: Asked) -> Answer {
    let generation = current.get();
    let components = generation.components.iter();
    json(&Instances {
        generation: generation.number,
        components: components
            .map(|(id, component)| (id.clone(), component.census()))
            .collect(),
    })
}
