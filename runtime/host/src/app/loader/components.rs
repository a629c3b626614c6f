//! One component: its code, its grants, its instances and its admission.

use std::sync::Arc;

use anyhow::Context as _;
use wasmtime::component::{Component as Code, InstancePre, Linker};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre as IncomingHandlerPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::interfaces::{self, Exports, ImportUse, RequestExport};
use super::linking::UnconnectedImport;
use super::{GenerationFiles, Loader};
use crate::admission::{Admission, AdmissionConfig};
use crate::capability::sqlite::database::GuestDatabase;
use crate::capability::{Grants, InstanceState, unserved};
use crate::component::{Component, ComponentConfig, ComponentHandlers, RequestHandler};
use crate::fault_injection::FaultTarget;
use crate::instance::InstanceFactory;
use crate::instance::call_pool::CallPool;
use crate::instance::events::EventPool;
use crate::instance::functions::FunctionPool;
use crate::instance::pool::InstancePool;
use crate::outbound::Outbound;
use config::manifest::{self, App};

/// A loaded component before its links are created.
pub(super) struct LoadedComponent {
    pub(super) component: Arc<Component>,
    pub(super) admission: Arc<Admission>,
    pub(super) outbound: Arc<Outbound>,
    pub(super) imports: Vec<UnconnectedImport>,
    pub(super) read_models: Vec<Arc<GuestDatabase>>,
    pub(super) databases: Vec<Arc<GuestDatabase>>,
}

/// What a component is loaded from.
pub(super) struct ComponentParts<'a> {
    pub(super) component: &'a manifest::Component,
    pub(super) code: &'a Code,
    pub(super) linker: Linker<InstanceState>,
    /// Sends its outgoing requests.
    pub(super) outbound: Arc<Outbound>,
    /// The directory of its files, below that of the generation.
    pub(super) directory: String,
    pub(super) imports: Vec<UnconnectedImport>,
}

impl Loader {
    /// Loads a component.
    ///
    /// # Errors
    /// When it does not match the manifest, or one of its stores cannot be opened.
    pub(super) fn component(
        &mut self,
        parts: ComponentParts<'_>,
        app: &App,
        number: u64,
    ) -> anyhow::Result<LoadedComponent> {
        let ComponentParts {
            component,
            code,
            mut linker,
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
        let import_use = match unserved::define(&mut linker, code, &grants.component)? {
            true => ImportUse::Unknown,
            false => ImportUse::Called,
        };
        let exports = interfaces::check(linker.engine(), code, component, app, import_use)?;
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
        let databases = grants.databases.values().cloned().collect();
        let handlers = self.handlers(instance, component, exports, grants, &pool)?;
        let policy = &component.policy;
        let config = ComponentConfig {
            id: component.id.as_str().into(),
            deadline: policy.deadline,
            max_body: policy.body as u64,
            database: self.history(component, app),
            has_databases: !component.sqlite_databases.is_empty(),
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
            databases,
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
        let service = exports.requests.map(|handler| match handler {
            RequestExport::Handler => ServicePre::new(instance.clone()).map(ProxyPre::P3),
            RequestExport::IncomingHandler => {
                IncomingHandlerPre::new(instance.clone()).map(ProxyPre::P2)
            }
        });
        let requests = service.transpose()?.map(|service| {
            RequestHandler::new(
                grants.component.clone(),
                InstanceFactory::new(engine.clone(), grants.clone(), service, pool.clone()),
                self.runtime.clone(),
                retry_after,
            )
        });
        let calls = CallPool::new(engine, grants, instance.clone(), pool.clone());
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
}

/// Returns the number of calls beside those that take the component's own permits. An instance that handles requests
/// executes no functions, and stays for a while when it is idle: with functions, each permit counts twice.
pub(super) fn most_calls(
    component: &manifest::Component,
    app: &App,
    exports_functions: bool,
) -> usize {
    let beside = app.links.link_permits(component.id.as_str());
    match exports_functions {
        true => beside + beside + component.policy.concurrency,
        false => beside,
    }
}

/// The limits of the calls to a component.
pub(super) fn admission_config(component: &manifest::Component) -> AdmissionConfig {
    let policy = &component.policy;
    AdmissionConfig {
        concurrency: policy.concurrency,
        queue: policy.queue,
        queue_timeout: policy.link.queue_timeout.unwrap_or(policy.deadline),
        adaptive: policy.link.adaptive,
        priorities: policy.link.priority_names.clone(),
    }
}
