//! Loader: turns checked configuration into callable components, compiled, linked and with their grants.

mod compilation;
mod connection;
mod grants;
mod interfaces;
mod linking;
mod stores;
mod wiring;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use wasmtime::component::{Component as Code, InstancePre, Linker};

use self::compilation::{Codes, Compilation};
use self::interfaces::Exports;
use self::linking::{Importer, UnconnectedImport};
use self::stores::Stores;
use self::wiring::{Adapter, ProviderComponent, Wiring};
use super::app_config::AppConfig;
use super::resources::Resources;
use crate::admission::{Admission, AdmissionConfig};
use crate::bus::Bus;
use crate::capability::sqlite::database::GuestDatabase;
use crate::capability::{self, Grants, InstanceState};
use crate::client::HttpClient;
use crate::component::{Component, ComponentConfig, ComponentHandlers, RequestHandler};
use crate::engine::PoolLimits;
use crate::fault_injection::{FaultInjector, FaultTarget};
use crate::generation::Generation;
use crate::instance::InstanceFactory;
use crate::instance::call_pool::CallPool;
use crate::instance::events::EventPool;
use crate::instance::functions::FunctionPool;
use crate::instance::pool::InstancePool;
use crate::link::registry::LinkRegistry;
use crate::outbound::{Outbound, OutboundConfig};
use crate::runtimes::RuntimeHandle;
use config::manifest::{self, App};
use storage::database::Database;

/// Loads generations of components on the same stores.
pub struct Loader {
    compilation: Compilation,
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

/// The directory of the files that only one generation uses.
pub struct GenerationFiles(PathBuf);

/// A loaded component before its links are created.
struct LoadedComponent {
    component: Arc<Component>,
    admission: Arc<Admission>,
    outbound: Arc<Outbound>,
    imports: Vec<UnconnectedImport>,
    read_models: Vec<Arc<GuestDatabase>>,
}

/// What a component is loaded from.
struct ComponentParts<'a> {
    component: &'a manifest::Component,
    code: &'a Code,
    linker: Linker<InstanceState>,
    /// Sends its outgoing requests.
    outbound: Arc<Outbound>,
    /// The directory of its files, below that of the generation.
    directory: String,
    imports: Vec<UnconnectedImport>,
}

// === impl GenerationFiles ===

impl GenerationFiles {
    /// The directory of the generation with this number.
    pub fn new(state_dir: &Path, number: u64) -> Self {
        Self(state_dir.join("files").join(number.to_string()))
    }

    /// Removes the directory.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self) -> std::io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

// === impl Loader ===

impl Loader {
    /// Creates a loader with these resources. Requests to its components run on the runtime of the caller.
    pub fn new(resources: &Resources, links: LinkRegistry) -> Self {
        let backends = &resources.backends;
        let state_dir = resources.state_dir.path.clone();
        let cache = resources.cache_dir.clone();
        Self {
            compilation: Compilation::new(
                resources.compiled_ahead.clone(),
                cache.unwrap_or_else(|| state_dir.join("cache")),
            ),
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
        let wiring = Wiring::of(app)?;
        let sources: Vec<_> = sources(app, &wiring).collect();
        let limits = self.room(&sources, app);
        let (engine, codes) = self.compilation.load(&sources, limits)?;
        let linker = capability::linker(&engine)?;
        let mut loaded = Vec::new();
        for (component, imports) in app.components.iter().zip(&wiring.imports) {
            let code = codes.of(component)?;
            let mut linker = linker.clone();
            let importer = Importer { component, code };
            let providers = providers(app, &wiring, &codes)?;
            let imports = importer.link(&mut linker, imports, providers)?;
            let parts = ComponentParts {
                component,
                code,
                linker,
                outbound: Arc::new(Outbound::new(OutboundConfig {
                    component: component.id.as_str().into(),
                    own_address: self.own_address,
                })),
                directory: component.id.to_string(),
                imports,
            };
            loaded.push(self.component(parts, app, number)?);
        }
        let mut adapters = Vec::new();
        for Adapter { caller, dependency } in &wiring.adapters {
            let (component, caller) = (&dependency.adapter, &loaded[*caller]);
            let parts = ComponentParts {
                component,
                code: codes.of(component)?,
                linker: linker.clone(),
                outbound: caller.outbound.clone(),
                directory: format!("{}.{}", caller.component.id(), component.id),
                imports: Vec::new(),
            };
            adapters.push(self.component(parts, app, number)?);
        }
        self.connect(app, loaded, adapters, number)
    }

    fn component(
        &mut self,
        parts: ComponentParts<'_>,
        app: &App,
        number: u64,
    ) -> anyhow::Result<LoadedComponent> {
        let ComponentParts {
            component,
            code,
            linker,
            outbound,
            directory,
            imports,
        } = parts;
        let directory = GenerationFiles::new(&self.state_dir, number)
            .0
            .join(directory);
        let files = self.files(component, &directory)?;
        let grants = Arc::new(self.grants(component, outbound.clone(), files)?);
        let injector = self.fault_injector.clone();
        let faults = injector.map(|injector| {
            let runtime = self.runtime.clone();
            FaultTarget::new(injector, linker.engine(), grants.clone(), runtime)
        });
        let exports = interfaces::check(linker.engine(), code, component, app)?;
        let instance = linker
            .instantiate_pre(code)
            .map_err(anyhow::Error::from)
            .with_context(|| {
                format!(
                    "component `{}` needs something that this host does not offer",
                    component.id
                )
            })?;
        let most = most_calls(component, app, !exports.functions.is_empty());
        let pool = InstancePool::new(component.policy.instance_bounds(most));
        let missing = grants.missing.clone();
        let handlers = self.handlers(instance, component, exports, grants, &pool)?;
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
            imports,
            read_models: self.stores.read_models(component)?,
        })
    }

    fn handlers(
        &self,
        instance: InstancePre<InstanceState>,
        component: &manifest::Component,
        exports: Exports,
        grants: Arc<Grants>,
        pool: &Arc<InstancePool>,
    ) -> anyhow::Result<ComponentHandlers> {
        let engine = instance.engine().clone();
        let retry_after = admission_config(component).queue_timeout;
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
                retry_after,
            )),
            false => None,
        };
        let calls = CallPool::new(engine, grants, instance.clone(), pool.clone());
        let calls = Arc::new(calls);
        let events = match exports.messages {
            true => Some(EventPool::new(calls.clone(), &instance)?),
            false => None,
        };
        let functions = match exports.functions.is_empty() {
            true => None,
            false => {
                let (calls, runtime) = (calls.clone(), self.runtime.clone());
                Some(FunctionPool::new(
                    calls,
                    exports.functions,
                    runtime,
                    retry_after,
                ))
            }
        };
        Ok(ComponentHandlers {
            requests,
            events,
            functions,
            calls,
        })
    }

    fn room(&self, components: &[&manifest::Component], app: &App) -> PoolLimits {
        let instances = components.iter().map(|component| {
            // Which components export functions is known only when they are compiled.
            let most = most_calls(component, app, true);
            let max = component.policy.instance_bounds(most).max;
            u32::try_from(max).unwrap_or(u32::MAX / 64)
        });
        let largest = components
            .iter()
            .map(|component| component.policy.memory)
            .max();
        PoolLimits {
            instances: instances.sum(),
            memory: self.max_memory.or(largest).unwrap_or_default(),
        }
    }
}

/// Returns every component that is compiled: those of the application, and the adapters that they need.
fn sources<'a>(app: &'a App, wiring: &Wiring<'a>) -> impl Iterator<Item = &'a manifest::Component> {
    let adapters = wiring.adapters.iter();
    let adapters: Vec<_> = adapters.map(|it| &it.dependency.adapter).collect();
    app.components.iter().chain(adapters)
}

/// Returns the id and the code of a component that satisfies an import.
fn providers<'a>(
    app: &'a App,
    wiring: &Wiring<'a>,
    codes: &'a Codes,
) -> anyhow::Result<impl Fn(ProviderComponent) -> (&'a str, &'a Code)> {
    let with_code = |component: &'a manifest::Component| {
        anyhow::Ok((component.id.as_str(), codes.of(component)?))
    };
    let components = app.components.iter().map(with_code);
    let components: Vec<_> = components.collect::<anyhow::Result<_>>()?;
    let adapters = wiring.adapters.iter();
    let adapters = adapters.map(|it| with_code(&it.dependency.adapter));
    let adapters: Vec<_> = adapters.collect::<anyhow::Result<_>>()?;
    Ok(move |provider| match provider {
        ProviderComponent::Application(index) => components[index],
        ProviderComponent::Adapter(index) => adapters[index],
    })
}

/// Returns the number of calls beside those that take the component's own permits. An instance that handles requests
/// executes no functions, and stays for a while when it is idle: with functions, each permit counts twice.
fn most_calls(component: &manifest::Component, app: &App, exports_functions: bool) -> usize {
    let beside = app.links.link_permits(component.id.as_str());
    match exports_functions {
        true => beside + beside + component.policy.concurrency,
        false => beside,
    }
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
