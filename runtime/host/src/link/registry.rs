//! All links of a platform. The guards of each exist once: two callers of the same link share its breaker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::Uri;
use parking_lot::RwLock;

use super::fallback::LinkFallback;
use super::{
    ComponentLink, ComponentRegistry, ComponentTarget, Link, LinkAdmission, LinkGuards,
    RegisteredComponent, RemoteLink, RemoteTarget, TransitionSender,
};
use crate::client::HttpClient;
use config::policy::links::origin;
use config::policy::{Fallback, LinkPolicies, LinkPolicy, OutboundPolicies};

/// The links of a platform: those of the generation that takes new calls. Clones are the same registry.
#[derive(Clone)]
pub struct LinkRegistry(Arc<Shared>);

struct Shared {
    transitions: TransitionSender,
    /// The links that operators see and control.
    current: RwLock<Arc<LinkSet>>,
}

/// The guards of the links of one generation, by the name of the link.
#[derive(Default)]
struct LinkSet {
    entries: RwLock<BTreeMap<Arc<str>, LinkEntry>>,
    /// The components that have links to remote origins, or may get some.
    components: RwLock<BTreeSet<String>>,
}

/// The guards of a link, and the policy that they were built from.
#[derive(Clone)]
struct LinkEntry {
    guards: Arc<LinkGuards>,
    policy: LinkPolicy,
    /// The component and the remote origin that the link connects, if it leaves the platform.
    remote: Option<(String, String)>,
}

/// The links of one generation of the application, as its manifest guards them.
///
/// A link whose policy does not change keeps its guards over a reload, so that a reload closes no breaker. The links of
/// a generation are visible to operators once it takes over ([`GenerationLinks::take_over`]). If it never does, nothing
/// changes.
#[derive(Clone)]
pub struct GenerationLinks {
    registry: LinkRegistry,
    set: Arc<LinkSet>,
    policies: Arc<LinkPolicies>,
    components: Arc<ComponentRegistry>,
}

/// The links from one component to remote origins, each built at its first use.
pub struct RemoteLinks {
    generation: GenerationLinks,
    component: String,
    client: HttpClient,
    policies: OutboundPolicies,
    by_origin: RwLock<BTreeMap<String, Arc<RemoteLink>>>,
}

/// The most remote origins with their own link, per component. All others share one link, so that a guest that invents
/// host names does not fill the memory.
const MAX_ORIGINS: usize = 64;

/// The name of the link that all other origins share.
const OTHER_ORIGINS: &str = "other origins";

// === impl LinkRegistry ===

impl LinkRegistry {
    /// A registry without links. The transitions of their breakers are sent to `transitions`.
    pub fn new(transitions: TransitionSender) -> Self {
        Self(Arc::new(Shared {
            transitions,
            current: RwLock::default(),
        }))
    }

    /// The links of a generation with these policies and components.
    pub fn generation(
        &self,
        policies: &LinkPolicies,
        components: ComponentRegistry,
    ) -> GenerationLinks {
        GenerationLinks {
            registry: self.clone(),
            set: Arc::default(),
            policies: Arc::new(policies.clone()),
            components: Arc::new(components),
        }
    }

    /// The guards of every link, by name.
    pub fn all(&self) -> Vec<Arc<LinkGuards>> {
        let set = self.current();
        let entries = set.entries.read();
        entries.values().map(|entry| entry.guards.clone()).collect()
    }

    /// The guards of the link with this name.
    pub fn find(&self, name: &str) -> Option<Arc<LinkGuards>> {
        Some(self.current().find(name)?.guards)
    }

    fn current(&self) -> Arc<LinkSet> {
        self.0.current.read().clone()
    }
}

// === impl LinkSet ===

impl LinkSet {
    fn find(&self, name: &str) -> Option<LinkEntry> {
        self.entries.read().get(name).cloned()
    }

    /// Whether the component has a link to the origin, or may get one.
    fn has_room(&self, component: &str, origin: &str) -> bool {
        let entries = self.entries.read();
        let remote = entries.values().filter_map(|entry| entry.remote.as_ref());
        let mut of_component = remote.filter(|(other, _)| other == component);
        let mut count = 0;
        let is_known = of_component.any(|(_, known)| {
            count += 1;
            known == origin
        });
        is_known || count < MAX_ORIGINS
    }

    /// Inserts an entry, unless another thread did first; returns the guards that are in the set.
    fn insert(&self, entry: LinkEntry) -> Arc<LinkGuards> {
        let mut entries = self.entries.write();
        let entry = entries.entry(entry.guards.name().clone()).or_insert(entry);
        entry.guards.clone()
    }
}

// === impl GenerationLinks ===

impl GenerationLinks {
    /// The link from clients to a component.
    pub fn gateway(&self, component: &str) -> Option<Arc<ComponentLink>> {
        let policy = self.policies.ingress(component);
        self.to_component("gateway", component, policy)
    }

    /// The link from the clock to a component. It has no breaker: a sweep repairs what failed, and no client waits for
    /// it.
    pub fn clock(&self, component: &str) -> Option<Arc<ComponentLink>> {
        let policy = LinkPolicy {
            breaker: None,
            ..LinkPolicy::default()
        };
        self.to_component("clock", component, policy)
    }

    /// The names before the arrow of all links to a component: `gateway`, `clock` and components.
    pub fn callers(&self, callee: &str) -> BTreeSet<String> {
        let entries = self.set.entries.read();
        let callers = entries
            .keys()
            .filter_map(|name| name.strip_suffix(callee)?.strip_suffix(" -> "));
        callers.map(str::to_owned).collect()
    }

    /// The link from one component to another.
    pub fn between(&self, caller: &str, callee: &str) -> Option<Arc<ComponentLink>> {
        let policy = self.policies.between(caller, callee);
        self.to_component(caller, callee, policy)
    }

    /// The link from a component to its own instance of an adapter. The link has no breaker: the adapter only passes on
    /// what the links of the component to remote origins respond, and each of them has its own.
    pub fn adapter(&self, caller: &str, adapter: &RegisteredComponent) -> Arc<ComponentLink> {
        let policy = LinkPolicy {
            breaker: None,
            ..self.policies.between(caller, &adapter.id)
        };
        let guards = self.guards(&format!("{caller} -> {}", adapter.id), policy, None);
        let (observed, admission) = match guards.admission() {
            Some(own) => (own.clone(), LinkAdmission::Own(own.clone())),
            // Its caller holds a permit already.
            None => (adapter.admission.clone(), LinkAdmission::Unlimited),
        };
        let target = ComponentTarget::new(adapter, observed);
        Arc::new(Link::new(guards, admission, target))
    }

    /// The links from a component to remote origins.
    pub fn remote(&self, component: &str, client: HttpClient) -> RemoteLinks {
        self.set.components.write().insert(component.to_owned());
        RemoteLinks {
            generation: self.clone(),
            policies: self.policies.outbound(component),
            component: component.to_owned(),
            client,
            by_origin: RwLock::default(),
        }
    }

    /// Makes these the links that operators see. What operators ordered for a link holds for the link that replaces it.
    pub fn take_over(&self) {
        let before = self.registry.current();
        let before = before.entries.read().clone();
        for entry in before.values() {
            self.carry_over(entry);
        }
        for (name, entry) in self.set.entries.read().iter() {
            if let Some(before) = before.get(name).filter(|it| !entry.is_same(it)) {
                entry.guards.inherit(&before.guards);
            }
            entry.guards.register_metrics();
        }
        *self.registry.0.current.write() = self.set.clone();
    }

    /// Keeps what is known of a remote origin that was used before.
    fn carry_over(&self, entry: &LinkEntry) {
        let Some((component, origin)) = &entry.remote else {
            return;
        };
        if self.set.components.read().contains(component) {
            let policies = self.policies.outbound(component);
            self.remote_guards(component, origin, policies.to(origin).clone());
        }
    }

    fn to_component(
        &self,
        caller: &str,
        callee: &str,
        policy: LinkPolicy,
    ) -> Option<Arc<ComponentLink>> {
        let registered = self.components.get(callee)?;
        let guards = self.guards(&format!("{caller} -> {callee}"), policy, None);
        let (observed, admission) = match guards.admission() {
            Some(own) => (own, LinkAdmission::Own(own.clone())),
            None => (
                &registered.admission,
                LinkAdmission::Component {
                    id: registered.id.clone(),
                    admission: registered.admission.clone(),
                },
            ),
        };
        let target = ComponentTarget::new(registered, observed.clone());
        Some(Arc::new(Link::new(guards, admission, target)))
    }

    fn remote_guards(&self, component: &str, origin: &str, policy: LinkPolicy) -> Arc<LinkGuards> {
        let remote = Some((component.to_owned(), origin.to_owned()));
        self.guards(&format!("{component} -> {origin}"), policy, remote)
    }

    fn guards(
        &self,
        name: &str,
        policy: LinkPolicy,
        remote: Option<(String, String)>,
    ) -> Arc<LinkGuards> {
        if let Some(entry) = self.set.find(name) {
            return entry.guards;
        }
        // A component to fall back on belongs to one generation.
        let can_outlive = !matches!(policy.fallback, Fallback::Component(_));
        let before = self.registry.current().find(name);
        if let Some(before) = before.filter(|it| can_outlive && it.policy == policy) {
            return self.set.insert(before);
        }
        let fallback = LinkFallback::new(&policy.fallback, &self.components);
        let transitions = &self.registry.0.transitions;
        let guards = LinkGuards::new(name.into(), policy.clone(), fallback, transitions);
        self.set.insert(LinkEntry {
            guards: Arc::new(guards),
            policy,
            remote,
        })
    }
}

impl LinkEntry {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.guards, &other.guards)
    }
}

// === impl RemoteLinks ===

impl RemoteLinks {
    /// The link to the origin of this address.
    pub fn to(&self, uri: &Uri) -> Arc<RemoteLink> {
        let origin = origin(uri).unwrap_or_else(|| OTHER_ORIGINS.to_owned());
        if let Some(link) = self.by_origin.read().get(&origin) {
            return link.clone();
        }
        let mut known = self.by_origin.write();
        // Those of earlier generations count.
        let origin = match self.generation.set.has_room(&self.component, &origin) {
            true => origin,
            false => OTHER_ORIGINS.to_owned(),
        };
        let link = Arc::new(self.build(&origin));
        known.insert(origin, link.clone());
        link
    }

    fn build(&self, origin: &str) -> RemoteLink {
        let policy = self.policies.to(origin).clone();
        let guards = (self.generation).remote_guards(&self.component, origin, policy);
        let admission = match guards.admission() {
            Some(own) => LinkAdmission::Own(own.clone()),
            None => LinkAdmission::Unlimited,
        };
        Link::new(guards, admission, RemoteTarget::new(self.client.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_remote_links_is_bounded_over_reloads() {
        let (transitions, _publisher) = TransitionSender::new();
        let registry = LinkRegistry::new(transitions);
        for reload in 0..3 {
            let policies = LinkPolicies::default();
            let generation = registry.generation(&policies, ComponentRegistry::new());
            let links = generation.remote("payment", HttpClient::default());
            generation.take_over();
            for host in 0..100 {
                let uri = format!("http://h{host}-{reload}.example/");
                links.to(&uri.parse().unwrap());
            }
            // The last place is that of the link for all others.
            assert_eq!(registry.all().len(), MAX_ORIGINS + 1);
        }
    }
}
