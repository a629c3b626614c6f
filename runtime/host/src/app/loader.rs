//! Loader: turns checked configuration into callable components, compiled, linked and with their grants.

mod compilation;
mod components;
mod connection;
mod grants;
mod interfaces;
mod linking;
mod stores;
mod wiring;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::Component as Code;

use self::compilation::{Codes, Compilation};
use self::components::{ComponentParts, most_calls};
use self::linking::Importer;
use self::stores::Stores;
use self::wiring::{Adapter, ProviderComponent, Wiring};
use super::app_config::AppConfig;
use super::resources::Resources;
use crate::bus::Bus;
use crate::capability;
use crate::client::HttpClient;
use crate::engine::PoolLimits;
use crate::fault_injection::FaultInjector;
use crate::generation::Generation;
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
    /// The name of this host.
    host: String,
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
            host: backends.host.clone(),
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

/// Returns the id and the code of a component that satisfies an import; nothing for one that is not linked.
fn providers<'a>(
    app: &'a App,
    wiring: &Wiring<'a>,
    codes: &'a Codes,
) -> anyhow::Result<impl Fn(ProviderComponent) -> Option<(&'a str, &'a Code)>> {
    let with_code = |component: &'a manifest::Component| {
        anyhow::Ok((component.id.as_str(), codes.of(component)?))
    };
    let components = app.components.iter().map(with_code);
    let components: Vec<_> = components.collect::<anyhow::Result<_>>()?;
    let adapters = wiring.adapters.iter();
    let adapters = adapters.map(|it| with_code(&it.dependency.adapter));
    let adapters: Vec<_> = adapters.collect::<anyhow::Result<_>>()?;
    Ok(move |provider| match provider {
        ProviderComponent::Application(index) => Some(components[index]),
        ProviderComponent::Adapter(index) => Some(adapters[index]),
        ProviderComponent::Unlinked => None,
    })
}
