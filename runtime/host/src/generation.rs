//! Generation: one version of the application, which a reload replaces as a whole.
//!
//! A call belongs to the generation in which it arrived, from its route to its last chained call. When the next
//! generation takes over, the previous one receives no new calls and is kept until its calls have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::RwLock;

use crate::byte_budget::ByteBudget;
use crate::capability::sqlite::database::GuestDatabase;
use crate::changes::ChangeRoute;
use crate::component::Component;
use crate::ingress::Ingress;
use crate::link::registry::GenerationLinks;
use crate::store::KeyValue;
use crate::stream_readers::stream_readers;
use config::manifest::{AllowedHosts, App, RouteTable};
use config::policy::ListenerLimits;
use event_log::delivery::Subscription;
use event_log::retention::Retention;

/// Ingresses of the components of an application by component id.
pub type Components = BTreeMap<String, Ingress>;

/// A version of the application that is ready for calls.
pub struct Generation {
    /// Sequence number: 1 for the first generation, incremented by each reload.
    pub number: u64,
    /// Routes from paths to components and static responses.
    pub routes: RouteTable,
    /// Ingress of each component, by component id.
    pub components: Components,
    /// Components that implement imports of others, each for one caller.
    pub adapters: Vec<Arc<Component>>,
    /// Event subscriptions of the components.
    pub subscriptions: Vec<Subscription>,
    /// The paths at which changes of components are sent.
    pub changes: Vec<ChangeRoute>,
    /// Limits for client connections and requests.
    pub listener: Arc<ListenerLimits>,
    /// Memory budget for the bodies of requests.
    pub upload_budget: ByteBudget,
    /// Retention of events and of consumer groups.
    pub retention: Retention,
    /// Stores and databases of the components.
    pub stores: OpenStores,
    /// The age at which dead letters are delivered again; `None` leaves that to the operator.
    pub redrive: Option<Duration>,
    /// Links of this generation, which become visible when it takes over.
    pub links: GenerationLinks,
    /// The hosts that each component may call, by component id.
    pub allowed_hosts: BTreeMap<String, AllowedHosts>,
}

/// Stores and databases by label.
#[derive(Clone, Default)]
pub struct OpenStores {
    /// Key-value stores.
    pub key_value: BTreeMap<String, Arc<dyn KeyValue>>,
    /// SQLite databases.
    pub databases: BTreeMap<String, Arc<GuestDatabase>>,
}

/// The generation that receives new calls.
#[derive(Clone)]
pub struct CurrentGeneration(Arc<RwLock<Arc<Generation>>>);

// === impl OpenStores ===

impl OpenStores {
    /// Leaves everything in the files, at the end of the process; blocks as long as that takes.
    ///
    /// # Errors
    /// When the last writes to one of them are lost.
    pub fn close(&self) -> anyhow::Result<()> {
        let databases = self.databases.iter().map(|(label, database)| {
            let closed = database.close();
            closed.with_context(|| {
                format!("the last writes to the SQLite database `{label}` are lost")
            })
        });
        let stores = self.key_value.iter().map(|(label, store)| {
            let closed = store.close();
            closed.with_context(|| {
                format!("the last writes to the key-value store `{label}` are lost")
            })
        });
        let closed: Vec<anyhow::Result<()>> = databases.chain(stores).collect();
        closed.into_iter().collect()
    }
}

// === impl Generation ===

impl Generation {
    /// Combines the loaded components with the routes and limits of their application.
    pub fn new(
        number: u64,
        app: &App,
        components: Components,
        adapters: Vec<Arc<Component>>,
        links: GenerationLinks,
        subscriptions: Vec<Subscription>,
        stores: OpenStores,
    ) -> Self {
        let hosts = (app.components.iter()).map(|component| {
            (
                component.id.to_string(),
                component.allowed_outbound_hosts.clone(),
            )
        });
        Self {
            number,
            allowed_hosts: hosts.collect(),
            routes: app.routes.clone(),
            components,
            adapters,
            changes: ChangeRoute::of(app, &subscriptions),
            subscriptions,
            listener: Arc::new(app.listener.clone()),
            upload_budget: ByteBudget::new(app.listener.bodies),
            retention: Retention::new(app.retention, stream_readers(app)),
            stores,
            redrive: app.redrive,
            links,
        }
    }

    /// Returns every component of the generation, the adapters included.
    pub fn all_components(&self) -> impl Iterator<Item = &Arc<Component>> {
        let components = self.components.values().map(|ingress| &ingress.component);
        components.chain(&self.adapters)
    }

    /// Returns the streams that any component subscribes to, without duplicates.
    pub fn streams(&self) -> BTreeSet<String> {
        let streams = self.subscriptions.iter().flat_map(|it| &it.streams);
        streams.cloned().collect()
    }

    /// Returns the longest deadline of all components: no call of this generation runs longer.
    pub fn drain_time(&self) -> Duration {
        let deadlines = self.all_components();
        deadlines
            .map(|component| component.config().deadline)
            .max()
            .unwrap_or_default()
    }
}

// === impl CurrentGeneration ===

impl CurrentGeneration {
    /// Creates the handle with the first generation, and activates its links.
    pub fn new(first: Generation) -> Self {
        first.links.take_over();
        Self(Arc::new(RwLock::new(Arc::new(first))))
    }

    /// Returns the generation that receives new calls.
    pub fn get(&self) -> Arc<Generation> {
        self.0.read().clone()
    }

    /// Replaces the current generation with `next`, and returns the previous one.
    pub fn replace(&self, next: Arc<Generation>) -> Arc<Generation> {
        next.links.take_over();
        std::mem::replace(&mut *self.0.write(), next)
    }
}
