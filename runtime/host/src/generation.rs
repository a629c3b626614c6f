//! One version of the application: what a reload replaces as a whole.
//!
//! A call belongs to the generation in which it arrived, from its route to its last chained call. When the next one
//! takes over, the old one takes nothing new, and it is kept for as long as any of its calls may run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use crate::byte_budget::ByteBudget;
use crate::ingress::Ingress;
use crate::link::registry::GenerationLinks;
use config::manifest::{App, RouteTable};
use config::policy::ListenerLimits;
use event_log::delivery::Subscription;
use event_log::retention::Retention;

/// The components of an application by id.
pub type Components = BTreeMap<String, Ingress>;

/// A version of the application, ready to be called.
pub struct Generation {
    /// 1 for what was started, one more with each reload.
    pub number: u64,
    /// Which path belongs to whom.
    pub routes: RouteTable,
    /// Finds the component of a route.
    pub components: Components,
    /// Which events wake whom.
    pub subscriptions: Vec<Subscription>,
    /// What clients may do.
    pub listener: Arc<ListenerLimits>,
    /// Where the bodies of requests are kept.
    pub upload_budget: ByteBudget,
    /// How long events are kept, if not for ever.
    pub retention: Option<Retention>,
    /// Its links, which nobody sees until it takes over.
    pub links: GenerationLinks,
}

/// The generation that takes new calls.
#[derive(Clone)]
pub struct CurrentGeneration(Arc<RwLock<Arc<Generation>>>);

// === impl Generation ===

impl Generation {
    /// Puts together what was loaded.
    pub fn new(
        number: u64,
        app: &App,
        components: Components,
        links: GenerationLinks,
        subscriptions: Vec<Subscription>,
    ) -> Self {
        Self {
            number,
            routes: app.routes.clone(),
            components,
            subscriptions,
            listener: Arc::new(app.listener.clone()),
            upload_budget: ByteBudget::new(app.listener.bodies),
            retention: app.retention.map(Retention::new),
            links,
        }
    }

    /// The streams that any component listens to, each once.
    pub fn streams(&self) -> BTreeSet<String> {
        let streams = self.subscriptions.iter().flat_map(|it| &it.streams);
        streams.cloned().collect()
    }

    /// As long as the slowest call may take.
    pub fn drain_time(&self) -> Duration {
        let deadlines = self.components.values();
        deadlines
            .map(|ingress| ingress.component.config().deadline)
            .max()
            .unwrap_or_default()
    }
}

// === impl CurrentGeneration ===

impl CurrentGeneration {
    /// The first one.
    pub fn new(first: Generation) -> Self {
        first.links.take_over();
        Self(Arc::new(RwLock::new(Arc::new(first))))
    }

    /// The one that takes new calls.
    pub fn get(&self) -> Arc<Generation> {
        self.0.read().clone()
    }

    /// Has the next one take over, and returns the one before.
    pub fn replace(&self, next: Arc<Generation>) -> Arc<Generation> {
        next.links.take_over();
        std::mem::replace(&mut *self.0.write(), next)
    }
}
