//! Connection: the links of a generation, once all of its components are loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use super::Loader;
use super::components::LoadedComponent;
use super::linking::UnconnectedImport;
use super::wiring::ProviderComponent;
use crate::fault_injection::RemoteFaults;
use crate::generation::{Components, Generation};
use crate::ingress::Ingress;
use crate::link::registry::GenerationLinks;
use crate::link::{ComponentLink, ComponentRegistry, RegisteredComponent};
use crate::outbound::{INTERNAL_SUFFIX, OutboundLinks};
use crate::trigger::events::subscriptions;
use config::manifest::{App, Component};

impl Loader {
    /// Creates the links: a component may call any other, so all of them are loaded before.
    ///
    /// # Errors
    /// When a link leads to a component that is not loaded.
    pub(super) fn connect(
        &self,
        app: &App,
        loaded: Vec<LoadedComponent>,
        adapters: Vec<LoadedComponent>,
        number: u64,
    ) -> anyhow::Result<Generation> {
        let registered =
            |it: &LoadedComponent| RegisteredComponent::new(&it.component, &it.admission);
        let by_id = loaded.iter();
        let by_id: ComponentRegistry = by_id
            .map(|it| (it.component.id().to_owned(), registered(it)))
            .collect();
        let adapters_registered: Vec<_> = adapters.iter().map(registered).collect();
        let links = self.links.generation(&app.links, by_id);
        let mut components = Components::new();
        for (component, loaded) in app.components.iter().zip(loaded) {
            let id = component.id.as_str();
            let client = self.client.clone();
            let client = client.of_component(id, self.faults(component));
            loaded.outbound.connect(OutboundLinks {
                components: component_links(component, app, &links),
                remote: links.remote(id, client),
            });
            let link = |link: Option<Arc<ComponentLink>>| {
                link.with_context(|| format!("component `{id}` is not registered"))
            };
            for UnconnectedImport { imported, provider } in loaded.imports {
                imported.connect(match provider {
                    ProviderComponent::Application(index) => {
                        link(links.between(id, app.components[index].id.as_str()))?
                    }
                    ProviderComponent::Adapter(index) => {
                        links.adapter(id, &adapters_registered[index])
                    }
                    ProviderComponent::Unlinked => continue,
                });
            }
            let ingress = Ingress {
                gateway: link(links.gateway(id))?,
                clock: link(links.clock(id))?,
                public: component.policy.public,
                background_priority: component.policy.sweep_priority,
                read_models: loaded.read_models,
                databases: loaded.databases,
                component: loaded.component,
                admission: loaded.admission,
            };
            components.insert(id.to_owned(), ingress);
        }
        let adapters = adapters.into_iter().map(|it| it.component).collect();
        let subscriptions = subscriptions(app);
        Ok(Generation::new(
            number,
            app,
            components,
            adapters,
            links,
            subscriptions,
            self.stores.open(),
        ))
    }

    /// Returns the faults of remote calls, when fault injection is enabled.
    fn faults(&self, component: &Component) -> Option<RemoteFaults> {
        let injector = self.fault_injector.clone()?;
        Some(RemoteFaults::new(injector, component.id.as_str().into()))
    }
}

/// Returns the links to every component that `caller` may call.
fn component_links(
    caller: &Component,
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
