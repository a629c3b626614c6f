//! All links of a platform, each made once: two who ask for the same link share its breaker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::Uri;
use parking_lot::RwLock;

use super::fallback::Substitute;
use super::{Announcements, Link};
use crate::capability::outbound_http::Neighbours;
use config::policy::links::origin;
use config::policy::{Fallback, Guard, Links, Outbound};

/// The links of a platform: those of the generation that takes new calls. Clones are the same board.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

struct Shared {
    announcements: Announcements,
    /// Those that operators see and steer.
    current: RwLock<Arc<Rack>>,
}

/// The links of one generation by name.
#[derive(Default)]
struct Rack {
    links: RwLock<BTreeMap<Arc<str>, Kept>>,
    /// The components that have links to hosts elsewhere, or may have some one day.
    components: RwLock<BTreeSet<String>>,
}

/// A link, and what it was made by.
#[derive(Clone)]
struct Kept {
    link: Arc<Link>,
    guard: Guard,
    /// From which component it leads to which origin elsewhere.
    way_out: Option<(String, String)>,
}

/// The links of one generation of the application: what its manifest says of guards, and its own components to fall back
/// on. A link whose guard is the same as before stays what it was, so a reload closes no breaker. Until the generation
/// takes over ([`Switchboard::take_over`]), nobody sees its links, and if it never does, nothing has changed.
#[derive(Clone)]
pub struct Switchboard {
    board: Board,
    rack: Arc<Rack>,
    guards: Arc<Links>,
    neighbours: Neighbours,
}

/// The links from one component to hosts elsewhere, each made when it is first used.
#[derive(Clone)]
pub struct OutboundLinks(Arc<Elsewhere>);

struct Elsewhere {
    switchboard: Switchboard,
    component: String,
    guards: Outbound,
    by_origin: RwLock<BTreeMap<String, Arc<Link>>>,
}

/// So many hosts elsewhere have a link of their own, per component; a guest that makes up names shares one for the
/// rest, instead of filling the memory.
const ORIGINS: usize = 64;

/// How the link for the rest is named.
const REST: &str = "elsewhere";

// === impl Board ===

impl Board {
    /// A board without links, whose breakers announce what becomes of them.
    pub fn new(announcements: Announcements) -> Self {
        Self(Arc::new(Shared {
            announcements,
            current: RwLock::default(),
        }))
    }

    /// The links of an application that are guarded so.
    pub fn switchboard(&self, guards: &Links) -> Switchboard {
        Switchboard {
            board: self.clone(),
            rack: Arc::default(),
            guards: Arc::new(guards.clone()),
            neighbours: Neighbours::default(),
        }
    }

    /// Every link there is, by name.
    pub fn all(&self) -> Vec<Arc<Link>> {
        let rack = self.current();
        let links = rack.links.read();
        links.values().map(|kept| kept.link.clone()).collect()
    }

    /// The link of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Link>> {
        Some(self.current().find(name)?.link)
    }

    fn current(&self) -> Arc<Rack> {
        self.0.current.read().clone()
    }
}

// === impl Rack ===

impl Rack {
    fn find(&self, name: &str) -> Option<Kept> {
        self.links.read().get(name).cloned()
    }

    /// Keeps a link, unless somebody else was quicker.
    fn keep(&self, kept: Kept) -> Arc<Link> {
        let mut links = self.links.write();
        let kept = links.entry(kept.link.name().clone()).or_insert(kept);
        kept.link.clone()
    }
}

// === impl Switchboard ===

impl Switchboard {
    /// The components that links fall back on.
    pub fn neighbours(&self) -> Neighbours {
        self.neighbours.clone()
    }

    /// The link from outside to a component.
    pub fn from_outside(&self, component: &str) -> Arc<Link> {
        let guard = self.guards.from_outside(component);
        self.link(&format!("gateway -> {component}"), guard, None)
    }

    /// The link from the clock to a component. Nobody is kept waiting by it, and a sweep is how a component mends
    /// what went wrong; so nothing cuts it off.
    pub fn from_clock(&self, component: &str) -> Arc<Link> {
        let guard = Guard {
            breaker: None,
            ..Guard::default()
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
        self.rack.components.write().insert(component.to_owned());
        OutboundLinks(Arc::new(Elsewhere {
            switchboard: self.clone(),
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
        for kept in before.values() {
            self.go_on_knowing(kept);
        }
        for (name, kept) in self.rack.links.read().iter() {
            if let Some(before) = before.get(name).filter(|it| !kept.is(it)) {
                kept.link.inherit(&before.link);
            }
            kept.link.show();
        }
        *self.board.0.current.write() = self.rack.clone();
    }

    /// The link to a host elsewhere is made when it is first used, and has been: how that host does is known.
    fn go_on_knowing(&self, kept: &Kept) {
        let Some((component, origin)) = &kept.way_out else {
            return;
        };
        if self.rack.components.read().contains(component) {
            let guards = self.guards.outbound(component);
            self.to(component, origin, guards.to(origin).clone());
        }
    }

    /// The link from a component to an origin elsewhere.
    fn to(&self, component: &str, origin: &str, guard: Guard) -> Arc<Link> {
        let way_out = Some((component.to_owned(), origin.to_owned()));
        self.link(&format!("{component} -> {origin}"), guard, way_out)
    }

    fn link(&self, name: &str, guard: Guard, way_out: Option<(String, String)>) -> Arc<Link> {
        if let Some(kept) = self.rack.find(name) {
            return kept.link;
        }
        // A component to fall back on belongs to one generation.
        let may_stay = !matches!(guard.fallback, Fallback::Component(_));
        let before = self.board.current().find(name);
        if let Some(before) = before.filter(|it| may_stay && it.guard == guard) {
            return self.rack.keep(before);
        }
        let substitute = Substitute::new(&guard.fallback, &self.neighbours);
        let announcements = &self.board.0.announcements;
        let link = Link::new(name.into(), guard.clone(), substitute, announcements);
        self.rack.keep(Kept {
            link: Arc::new(link),
            guard,
            way_out,
        })
    }
}

impl Kept {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.link, &other.link)
    }
}

// === impl OutboundLinks ===

impl OutboundLinks {
    /// The link to the host of this address.
    pub fn to(&self, uri: &Uri) -> Arc<Link> {
        let Elsewhere {
            switchboard,
            component,
            guards,
            by_origin,
        } = &*self.0;
        let origin = origin(uri).unwrap_or_else(|| REST.to_owned());
        if let Some(link) = by_origin.read().get(&origin) {
            return link.clone();
        }
        let mut known = by_origin.write();
        let origin = match known.len() < ORIGINS {
            true => origin,
            false => REST.to_owned(),
        };
        let link = switchboard.to(component, &origin, guards.to(&origin).clone());
        known.insert(origin, link.clone());
        link
    }
}
