//! From checked configuration to components that can be called: compiled, linked, and given what they are granted.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use wasmtime::Engine;
use wasmtime::component::{Component as Code, Linker};

use super::foundation::Foundation;
use super::stores::Stores;
use super::{Components, Plan, world};
use crate::bus::Bus;
use crate::capability::outbound_http::{Exits, Neighbours};
use crate::capability::{self, Grants, State};
use crate::client::Client;
use crate::component::{Component, Limits};
use crate::database::Database;
use crate::engine::{self, Room};
use crate::instance::Factory;
use crate::instance::messages::Shelf;
use crate::manifest::{self, App};
use crate::memory;

/// Instances beyond those that are in a call: ones that finish their last call, or start before another is dropped.
const SPARE: u32 = 8;

/// Compiles (or finds compiled) every component and gives it what the manifest grants. `own` is where the application
/// itself can be reached.
///
/// # Errors
/// When a component is none, does not fit the manifest, or a store cannot be opened.
pub fn load(plan: &Plan, foundation: &Foundation, own: SocketAddr) -> anyhow::Result<Components> {
    let (engine, codes) = compiled(plan)?;
    let linker = capability::linker(&engine)?;
    let mut stores = Stores::new(&plan.config, &plan.state, foundation);
    let neighbours = Neighbours::default();
    let client = Client::default();
    let mut components = Components::new();
    for (component, code) in plan.app.components.iter().zip(&codes) {
        let exits = Exits {
            allowed: component.allowed_outbound_hosts.clone(),
            neighbours: neighbours.clone(),
            client: client.clone(),
        };
        let grants = grants(component, &mut stores, exits, foundation.bus.clone(), plan)?;
        let ready = prepare(
            &engine,
            &linker,
            code,
            component,
            &plan.app,
            Arc::new(grants),
            history(component, foundation),
        )?;
        components.insert(component.id.to_string(), Arc::new(ready));
    }
    neighbours.introduce(components.values(), own);
    Ok(components)
}

/// All components, found in the cache.
///
/// An engine that has compiled keeps the compiler's working memory, more than everything else together. So what was
/// not in the cache is compiled by an engine that is thrown away, and loaded by another.
fn compiled(plan: &Plan) -> anyhow::Result<(Engine, Vec<Code>)> {
    let cache = engine::open_cache(&plan.state.join("cache"))?;
    let engine = engine::start(room(plan), &cache)?;
    let codes = compile(&engine, &plan.app)?;
    if cache.cache_misses() == 0 {
        return Ok((engine, codes));
    }
    drop((engine, codes));
    memory::give_back();
    let engine = engine::start(room(plan), &cache)?;
    let codes = compile(&engine, &plan.app)?;
    Ok((engine, codes))
}

/// The embedded database, for a component that writes there or can call one that does.
fn history(component: &manifest::Component, foundation: &Foundation) -> Option<Arc<Database>> {
    let is_used = foundation.redis.is_none();
    let is_reached =
        !component.key_value_stores.is_empty() || !component.allowed_outbound_hosts.is_empty();
    (is_used && is_reached).then(|| foundation.database.clone())
}

fn room(plan: &Plan) -> Room {
    let instances = plan.app.components.iter().map(|component| {
        let policy = &component.policy;
        let calls = policy.concurrency + policy.delivery_concurrency;
        u32::try_from(calls)
            .unwrap_or(u32::MAX / 64)
            .saturating_add(SPARE)
    });
    let largest = plan
        .app
        .components
        .iter()
        .map(|component| component.policy.memory)
        .max();
    Room {
        instances: instances.sum(),
        memory: plan.memory.or(largest).unwrap_or_default(),
    }
}

/// All at once: a first start is mostly waiting for the compiler.
fn compile(engine: &Engine, app: &App) -> anyhow::Result<Vec<Code>> {
    std::thread::scope(|scope| {
        let compilations: Vec<_> = app
            .components
            .iter()
            .map(|component| scope.spawn(|| Code::from_file(engine, &component.source)))
            .collect();
        app.components
            .iter()
            .zip(compilations)
            .map(|(component, compilation)| {
                let compiled = compilation
                    .join()
                    .map_err(|_| anyhow::anyhow!("the compiler panicked"))?;
                compiled.map_err(anyhow::Error::from).with_context(|| {
                    let source = component.source.display();
                    format!(
                        "component `{}`: {source} is no component that can be run here",
                        component.id
                    )
                })
            })
            .collect()
    })
}

fn grants(
    component: &manifest::Component,
    stores: &mut Stores<'_>,
    exits: Exits,
    redis: Arc<Bus>,
    plan: &Plan,
) -> anyhow::Result<Grants> {
    let key_value_stores = component.key_value_stores.iter();
    let databases = component.sqlite_databases.iter();
    Ok(Grants {
        component: component.id.as_str().into(),
        variables: component
            .variables
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        environment: component.environment.clone().into_iter().collect(),
        files: files(component, &plan.state)?,
        key_value_stores: key_value_stores
            .map(|label| Ok((label.clone(), stores.key_value(label)?)))
            .collect::<anyhow::Result<_>>()?,
        databases: databases
            .map(|label| Ok((label.clone(), stores.database(label)?)))
            .collect::<anyhow::Result<_>>()?,
        exits,
        redis,
        memory: plan.memory.unwrap_or(component.policy.memory),
    })
}

/// Copies what the component may read to a directory of its own, so that it sees that and nothing beside it.
fn files(component: &manifest::Component, state: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    if component.files.is_empty() {
        return Ok(Vec::new());
    }
    let directory = state.join("files").join(component.id.as_str());
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot copy the files of component `{}`", component.id))?;
    component.files.copy_into(&directory)?;
    Ok(vec![(directory, "/".to_owned())])
}

fn prepare(
    engine: &Engine,
    linker: &Linker<State>,
    code: &Code,
    component: &manifest::Component,
    app: &App,
    grants: Arc<Grants>,
    history: Option<Arc<Database>>,
) -> anyhow::Result<Component> {
    let handles = world::check(engine, code, component, app)?;
    let instance = linker
        .instantiate_pre(code)
        .map_err(anyhow::Error::from)
        .with_context(|| {
            format!(
                "component `{}` needs something that this host does not offer",
                component.id
            )
        })?;
    let requests = match handles.requests {
        true => Some(Factory::new(
            engine.clone(),
            grants.clone(),
            instance.clone(),
        )?),
        false => None,
    };
    let messages = match handles.messages {
        true => Some(Shelf::new(engine.clone(), grants, instance)?),
        false => None,
    };
    let policy = &component.policy;
    let limits = Limits {
        deadline: policy.deadline,
        concurrency: policy.concurrency,
        queue: policy.queue,
        body: policy.body as u64,
    };
    Ok(Component::new(
        component.id.as_str().into(),
        limits,
        requests,
        messages,
        history,
    ))
}
