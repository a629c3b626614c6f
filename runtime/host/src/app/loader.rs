//! Loader: turns checked configuration into callable components, compiled, linked and with their grants.

mod interfaces;
mod stores;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use wasmtime::Engine;
use wasmtime::component::{Component as Code, Linker};

use self::stores::Stores;
use super::app_config::AppConfig;
use super::resources::Resources;
use crate::admission::{Admission, AdmissionConfig};
use crate::bus::Bus;
use crate::capability::{self, Grants, InstanceState};
use crate::client::HttpClient;
use crate::component::{Component, ComponentConfig, ComponentHandlers, RequestHandler};
use crate::engine::{self, PoolLimits};
use crate::fault_injection::{FaultInjector, FaultTarget, RemoteFaults};
use crate::generation::{Components, Generation};
use crate::ingress::Ingress;
use crate::instance::InstanceFactory;
use crate::instance::events::EventPool;
use crate::instance::pool::InstancePool;
use crate::link::registry::{GenerationLinks, LinkRegistry};
use crate::link::{ComponentLink, ComponentRegistry, RegisteredComponent};
use crate::memory;
use crate::outbound::{INTERNAL_SUFFIX, Outbound, OutboundConfig, OutboundLinks};
use crate::runtimes::RuntimeHandle;
use crate::trigger::events::subscriptions;
use config::manifest::{self, App};
use config::policy::InstanceBounds;
use storage::database::Database;

/// Loads generations of components on the same stores.
pub struct Loader {
    stores: Stores,
    bus: Arc<Bus>,
    client: HttpClient,
    /// Links of all generations.
    links: LinkRegistry,
    state_dir: PathBuf,
    /// Address of this host, for calls from components to the application itself.
    own_address: SocketAddr,
    /// Maximum size of every linear memory in bytes, when the command line sets it.
    max_memory: Option<usize>,
    /// Injects faults when fault injection is enabled.
    fault_injector: Option<Arc<FaultInjector>>,
    /// Runtime that handles requests.
    runtime: RuntimeHandle,
    /// The embedded database, when the stores are in it.
    database: Option<Arc<Database>>,
}

/// A loaded component before its links are created.
struct LoadedComponent {
    component: Arc<Component>,
    admission: Arc<Admission>,
    outbound: Arc<Outbound>,
}

// === impl Loader ===

impl Loader {
    /// Creates a loader with these resources. Requests to its components run on the runtime of the caller.
    pub fn new(resources: &Resources, links: LinkRegistry) -> Self {
        let backends = &resources.backends;
        let state_dir = resources.state_dir.path.clone();
        Self {
            stores: Stores::new(
                resources.config.runtime.clone(),
                state_dir.clone(),
                backends,
            ),
            bus: backends.bus.clone(),
            client: HttpClient::default(),
            links,
            state_dir,
            own_address: resources.address,
            max_memory: resources.max_memory,
            fault_injector: resources.fault_injector.clone(),
            runtime: RuntimeHandle::here(),
            database: match backends.redis {
                Some(_) => None,
                None => Some(backends.database.clone()),
            },
        }
    }

    /// Compiles every component, or loads it from the cache, and gives it the grants of the manifest. The running
    /// generation is not affected.
    ///
    /// # Errors
    /// When a file is not a component, a component does not match the manifest, or a store cannot be opened.
    pub fn load(&mut self, config: &AppConfig, number: u64) -> anyhow::Result<Generation> {
        let app = &config.app;
        let (engine, codes) = compiled(app, &self.state_dir, self.max_memory)?;
        let linker = capability::linker(&engine)?;
        let mut loaded = Vec::new();
        for (component, code) in app.components.iter().zip(&codes) {
            loaded.push(self.component(&linker, code, component, app, number)?);
        }
        // A component may call any other, so the links are created after all components are loaded.
        let registered = loaded.iter().map(|it| {
            let id = it.component.id().to_owned();
            (id, RegisteredComponent::new(&it.component, &it.admission))
        });
        let registered: ComponentRegistry = registered.collect();
        let links = self.links.generation(&app.links, registered);
        let mut components = Components::new();
        for (component, loaded) in app.components.iter().zip(loaded) {
            let id = component.id.as_str();
            let client = self.client.clone().with_faults(self.faults(component));
            loaded.outbound.connect(OutboundLinks {
                components: component_links(component, app, &links),
                remote: links.remote(id, client),
            });
            let link = |link: Option<Arc<ComponentLink>>| {
                link.with_context(|| format!("component `{id}` is not registered"))
            };
            let ingress = Ingress {
                gateway: link(links.gateway(id))?,
                clock: link(links.clock(id))?,
                component: loaded.component,
                admission: loaded.admission,
            };
            components.insert(id.to_owned(), ingress);
        }
        Ok(Generation::new(
            number,
            app,
            components,
            links,
            subscriptions(app),
        ))
    }

    fn component(
        &mut self,
        linker: &Linker<InstanceState>,
        code: &Code,
        component: &manifest::Component,
        app: &App,
        number: u64,
    ) -> anyhow::Result<LoadedComponent> {
        let outbound = Arc::new(Outbound::new(OutboundConfig {
            component: component.id.as_str().into(),
            own_address: self.own_address,
        }));
        let grants = Arc::new(self.grants(component, outbound.clone(), number)?);
        let injector = self.fault_injector.clone();
        let faults = injector.map(|injector| {
            let runtime = self.runtime.clone();
            FaultTarget::new(injector, linker.engine(), grants.clone(), runtime)
        });
        let pool = InstancePool::new(bounds(component, app));
        let missing = grants.missing.clone();
        let handlers = self.handlers(linker, code, component, app, grants, &pool)?;
        let policy = &component.policy;
        let config = ComponentConfig {
            id: component.id.as_str().into(),
            deadline: policy.deadline,
            max_body: policy.body as u64,
            database: self.history(component, app),
        };
        let admission = Admission::new(admission_config(component))?;
        Ok(LoadedComponent {
            admission: Arc::new(admission.named("component", config.id.clone())),
            component: Arc::new(Component::new(
                config,
                handlers,
                pool,
                faults.transpose()?,
                missing,
            )),
            outbound,
        })
    }

    fn handlers(
        &self,
        linker: &Linker<InstanceState>,
        code: &Code,
        component: &manifest::Component,
        app: &App,
        grants: Arc<Grants>,
        pool: &Arc<InstancePool>,
    ) -> anyhow::Result<ComponentHandlers> {
        let engine = linker.engine();
        let exports = interfaces::check(engine, code, component, app)?;
        let instance = linker
            .instantiate_pre(code)
            .map_err(anyhow::Error::from)
            .with_context(|| {
                format!(
                    "component `{}` needs something that this host does not offer",
                    component.id
                )
            })?;
        let requests = match exports.requests {
            true => Some(RequestHandler::new(
                grants.component.clone(),
                InstanceFactory::new(
                    engine.clone(),
                    grants.clone(),
                    instance.clone(),
                    pool.clone(),
                )?,
                self.runtime.clone(),
                admission_config(component).queue_timeout,
            )),
            false => None,
        };
        let events = match exports.messages {
            true => Some(EventPool::new(
                engine.clone(),
                grants,
                instance,
                pool.clone(),
            )?),
            false => None,
        };
        Ok(ComponentHandlers { requests, events })
    }

    /// Removes the files that only this generation uses.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub fn clear(&self, number: u64) -> std::io::Result<()> {
        let files = self.files_of(number);
        match files.exists() {
            true => std::fs::remove_dir_all(files),
            false => Ok(()),
        }
    }

    /// Returns the embedded database when the component stores data in it: values or events.
    fn history(&self, component: &manifest::Component, app: &App) -> Option<Arc<Database>> {
        let log = app.redis_address.as_deref();
        let publishes =
            log.is_some_and(|log| component.allowed_outbound_hosts.allows_url(log, "redis"));
        let keeps = publishes || !component.key_value_stores.is_empty();
        self.database.clone().filter(|_| keeps)
    }

    /// Returns the faults of remote calls, when fault injection is enabled.
    fn faults(&self, component: &manifest::Component) -> Option<RemoteFaults> {
        let injector = self.fault_injector.clone()?;
        Some(RemoteFaults::new(injector, component.id.as_str().into()))
    }

    fn files_of(&self, number: u64) -> PathBuf {
        self.state_dir.join("files").join(number.to_string())
    }

    fn grants(
        &mut self,
        component: &manifest::Component,
        outbound_http: Arc<Outbound>,
        number: u64,
    ) -> anyhow::Result<Grants> {
        let files = self.files(component, number)?;
        let stores = &mut self.stores;
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
            files,
            key_value_stores: key_value_stores
                .map(|label| Ok((label.clone(), stores.key_value(label)?)))
                .collect::<anyhow::Result<_>>()?,
            databases: databases
                .map(|label| Ok((label.clone(), stores.database(label)?)))
                .collect::<anyhow::Result<_>>()?,
            missing: Arc::default(),
            allowed_hosts: component.allowed_outbound_hosts.clone(),
            outbound_http,
            redis: self.bus.clone(),
            memory: self.max_memory.unwrap_or(component.policy.memory),
            deadline: component.policy.deadline,
        })
    }

    /// Copies the granted files into a directory of the component, so that it cannot access any other file.
    fn files(
        &self,
        component: &manifest::Component,
        number: u64,
    ) -> anyhow::Result<Vec<(PathBuf, String)>> {
        if component.files.is_empty() {
            return Ok(Vec::new());
        }
        let directory = self.files_of(number).join(component.id.as_str());
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot copy the files of component `{}`", component.id))?;
        component.files.copy_into(&directory)?;
        Ok(vec![(directory, "/".to_owned())])
    }
}

/// Returns the links to every component that `caller` may call.
fn component_links(
    caller: &manifest::Component,
    app: &App,
    links: &GenerationLinks,
) -> BTreeMap<String, Arc<ComponentLink>> {
    let callees = app.components.iter().map(|component| component.id.as_str());
    callees
        .filter(|id| {
            let host = format!("{id}{INTERNAL_SUFFIX}");
            caller.allowed_outbound_hosts.allows("http", &host, None)
        })
        .filter_map(|id| Some((id.to_owned(), links.between(caller.id.as_str(), id)?)))
        .collect()
}

/// Compiles all components, or loads them from the cache.
///
/// An engine that has compiled keeps the working memory of the compiler, which is more than all other memory of the
/// process. Components that are not in the cache are therefore compiled by a temporary engine, and loaded by a new one.
fn compiled(app: &App, state: &Path, memory: Option<usize>) -> anyhow::Result<(Engine, Vec<Code>)> {
    let cache = engine::open_cache(&state.join("cache"))?;
    let room = room(app, memory);
    let engine = engine::start(room, &cache)?;
    let codes = compile(&engine, app)?;
    if cache.cache_misses() == 0 {
        return Ok((engine, codes));
    }
    drop((engine, codes));
    memory::give_back();
    let engine = engine::start(room, &cache)?;
    let codes = compile(&engine, app)?;
    Ok((engine, codes))
}

fn room(app: &App, memory: Option<usize>) -> PoolLimits {
    let components = app.components.iter();
    let instances = components.clone().map(|component| {
        let max = bounds(component, app).max;
        u32::try_from(max).unwrap_or(u32::MAX / 64)
    });
    let largest = components.map(|component| component.policy.memory).max();
    PoolLimits {
        instances: instances.sum(),
        memory: memory.or(largest).unwrap_or_default(),
    }
}

fn bounds(component: &manifest::Component, app: &App) -> InstanceBounds {
    let beside = app.links.link_permits(component.id.as_str());
    component.policy.instance_bounds(beside)
}

/// Compiles the components in parallel: a first start spends most of its time in the compiler.
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

fn admission_config(component: &manifest::Component) -> AdmissionConfig {
    let policy = &component.policy;
    AdmissionConfig {
        concurrency: policy.concurrency,
        queue: policy.queue,
        queue_timeout: policy.link.queue_timeout.unwrap_or(policy.deadline),
        adaptive: policy.link.adaptive,
        priorities: policy.link.priority_names.clone(),
    }
}
