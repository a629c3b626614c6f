//! All links of a platform, each made once: two who ask for the same link share its breaker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::Uri;
use parking_lot::RwLock;

use super::fallback::LinkFallback;
use super::{Link, TransitionSender};
use crate::capability::outbound_http::ComponentRegistry;
use config::policy::links::origin;
use config::policy::{Fallback, LinkPolicies, LinkPolicy, OutboundPolicies};

/// The links of a platform: those of the generation that takes new calls. Clones are the same board.
#[derive(Clone)]
pub struct LinkRegistry(Arc<Shared>);

struct Shared {
    sender: TransitionSender,
    /// Those that operators see and steer.
    current: RwLock<Arc<LinkSet>>,
}

/// The links of one generation by name.
#[derive(Default)]
struct LinkSet {
    links: RwLock<BTreeMap<Arc<str>, LinkEntry>>,
    /// The components that have links to hosts elsewhere, or may have some one day.
    components: RwLock<BTreeSet<String>>,
}

/// A link, and what it was made by.
#[derive(Clone)]
struct LinkEntry {
    link: Arc<Link>,
    guard: LinkPolicy,
    /// From which component it leads to which origin elsewhere.
    origin_link: Option<(String, String)>,
}

/// The links of one generation of the application: what its manifest says of guards, and its own components to fall back
/// on. A link whose guard is the same as before stays what it was, so a reload closes no breaker. Until the generation
/// takes over ([`GenerationLinks::take_over`]), nobody sees its links, and if it never does, nothing has changed.
#[derive(Clone)]
pub struct GenerationLinks {
    board: LinkRegistry,
    set: Arc<LinkSet>,
    guards: Arc<LinkPolicies>,
    callees: ComponentRegistry,
}

/// The links from one component to hosts elsewhere, each made when it is first used.
#[derive(Clone)]
pub struct OutboundLinks(Arc<OutboundShared>);

struct OutboundShared {
    generation: GenerationLinks,
    component: String,
    guards: OutboundPolicies,
    by_origin: RwLock<BTreeMap<String, Arc<Link>>>,
}

/// So many hosts elsewhere have a link of their own, per component; a guest that makes up names shares one for the
/// rest, instead of filling the memory.
const MAX_ORIGINS: usize = 64;

/// How the link for the rest is named.
const OTHER_ORIGINS: &str = "elsewhere";

// === impl LinkRegistry ===

impl LinkRegistry {
    /// A board without links, whose breakers announce what becomes of them.
    pub fn new(sender: TransitionSender) -> Self {
        Self(Arc::new(Shared {
            sender,
            current: RwLock::default(),
        }))
    }

    /// The links of an application that are guarded so.
    pub fn generation(&self, guards: &LinkPolicies) -> GenerationLinks {
        GenerationLinks {
            board: self.clone(),
            set: Arc::default(),
            guards: Arc::new(guards.clone()),
            callees: ComponentRegistry::default(),
        }
    }

    /// Every link there is, by name.
    pub fn all(&self) -> Vec<Arc<Link>> {
        let set = self.current();
        let links = set.links.read();
        links.values().map(|entry| entry.link.clone()).collect()
    }

    /// The link of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Link>> {
        Some(self.current().find(name)?.link)
    }

    fn current(&self) -> Arc<LinkSet> {
        self.0.current.read().clone()
    }
}

// === impl LinkSet ===

impl LinkSet {
    fn find(&self, name: &str) -> Option<LinkEntry> {
        self.links.read().get(name).cloned()
    }

    /// Keeps a link, unless somebody else was quicker.
    fn keep(&self, entry: LinkEntry) -> Arc<Link> {
        let mut links = self.links.write();
        let entry = links.entry(entry.link.name().clone()).or_insert(entry);
        entry.link.clone()
    }
}

// === impl GenerationLinks ===

impl GenerationLinks {
    /// The components that links fall back on.
    pub fn callees(&self) -> ComponentRegistry {
        self.callees.clone()
    }

    /// The link from outside to a component.
    pub fn from_outside(&self, component: &str) -> Arc<Link> {
        let guard = self.guards.ingress(component);
        self.link(&format!("gateway -> {component}"), guard, None)
    }

    /// The link from the clock to a component. Nobody is entry waiting by it, and a sweep is how a component mends
    /// what went wrong; so nothing cuts it off.
    pub fn from_clock(&self, component: &str) -> Arc<Link> {
        let guard = LinkPolicy {
            breaker: None,
            ..LinkPolicy::default()
        };
        self.link(&format!("clock -> {component}"), guard, None)
    }

    /// The link from one component to another.
    pub fn between(&self, caller: &str, callee: &str) -> Arc<Link> {
        let guard = self.guards.between(caller, callee);
        self.link(&format!("{caller} -> {callee}"), guard, None)
    }

    /// The links from a component to hosts elsewhere.
    pub fn outbound(&self, component: &str) -> OutboundLinks {
        self.set.components.write().insert(component.to_owned());
        OutboundLinks(Arc::new(OutboundShared {
            generation: self.clone(),
            guards: self.guards.outbound(component),
            component: component.to_owned(),
            by_origin: RwLock::default(),
        }))
    }

    /// From now on, these are the links of the platform. What operators have said of the ones before holds for those
    /// that replace them.
    pub fn take_over(&self) {
        let before = self.board.current();
        let before = before.links.read().clone();
        for entry in before.values() {
            self.carry_over(entry);
        }
        for (name, entry) in self.set.links.read().iter() {
            if let Some(before) = before.get(name).filter(|it| !entry.is(it)) {
                entry.link.inherit(&before.link);
            }
            entry.link.show();
        }
        *self.board.0.current.write() = self.set.clone();
    }

    /// The link to a host elsewhere is made when it is first used, and has been: how that host does is known.
    fn carry_over(&self, entry: &LinkEntry) {
        let Some((component, origin)) = &entry.origin_link else {
            return;
        };
        if self.set.components.read().contains(component) {
            let guards = self.guards.outbound(component);
            self.to(component, origin, guards.to(origin).clone());
        }
    }

    /// The link from a component to an origin elsewhere.
    fn to(&self, component: &str, origin: &str, guard: LinkPolicy) -> Arc<Link> {
        let origin_link = Some((component.to_owned(), origin.to_owned()));
        self.link(&format!("{component} -> {origin}"), guard, origin_link)
    }

    fn link(
        &self,
        name: &str,
        guard: LinkPolicy,
        origin_link: Option<(String, String)>,
    ) -> Arc<Link> {
        if let Some(entry) = self.set.find(name) {
            return entry.link;
        }
        // A component to fall back on belongs to one generation.
        let may_stay = !matches!(guard.fallback, Fallback::Component(_));
        let before = self.board.current().find(name);
        if let Some(before) = before.filter(|it| may_stay && it.guard == guard) {
            return self.set.keep(before);
        }
        let substitute = LinkFallback::new(&guard.fallback, &self.callees);
        let sender = &self.board.0.sender;
        let link = Link::new(name.into(), guard.clone(), substitute, sender);
        self.set.keep(LinkEntry {
            link: Arc::new(link),
            guard,
            origin_link,
        })
    }
}

impl LinkEntry {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.link, &other.link)
    }
}

// === impl OutboundLinks ===

impl OutboundLinks {
    /// The link to the host of this address.
    pub fn to(&self, uri: &Uri) -> Arc<Link> {
        let OutboundShared {
            generation,
            component,
            guards,
            by_origin,
        } = &*self.0;
        let origin = origin(uri).unwrap_or_else(|| OTHER_ORIGINS.to_owned());
        if let Some(link) = by_origin.read().get(&origin) {
            return link.clone();
        }
        let mut known = by_origin.write();
        let origin = match known.len() < MAX_ORIGINS {
            true => origin,
            false => OTHER_ORIGINS.to_owned(),
        };
        let link = generation.to(component, &origin, guards.to(&origin).clone());
        known.insert(origin, link.clone());
        link
    }
}
