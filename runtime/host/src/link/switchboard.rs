//! All links of a platform, each made once: two who ask for the same link share its breaker.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Uri;
use parking_lot::RwLock;

use super::fallback::Substitute;
use super::{Announcements, Link};
use crate::capability::outbound_http::Neighbours;
use crate::policy::links::origin;
use crate::policy::{Fallback, Guard, Links, Outbound};

/// The links of a platform. Clones are the same board.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

struct Shared {
    announcements: Announcements,
    links: RwLock<BTreeMap<Arc<str>, Kept>>,
}

/// A link, and what it was made by.
struct Kept {
    link: Arc<Link>,
    guard: Guard,
}

/// The links of one generation of the application: what its manifest says of guards, and its own components to fall back
/// on. A link whose guard is the same as before stays what it was, so a reload closes no breaker.
#[derive(Clone)]
pub struct Switchboard {
    board: Board,
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
            links: RwLock::default(),
        }))
    }

    /// The links of an application that are guarded so.
    pub fn switchboard(&self, guards: &Links) -> Switchboard {
        Switchboard {
            board: self.clone(),
            guards: Arc::new(guards.clone()),
            neighbours: Neighbours::default(),
        }
    }

    /// Every link there is, by name.
    pub fn all(&self) -> Vec<Arc<Link>> {
        let links = self.0.links.read();
        links.values().map(|kept| kept.link.clone()).collect()
    }

    /// The link of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Link>> {
        self.0.links.read().get(name).map(|kept| kept.link.clone())
    }

    fn link(&self, name: &str, guard: Guard, neighbours: &Neighbours) -> Arc<Link> {
        let mut links = self.0.links.write();
        // A component to fall back on belongs to one generation.
        let may_stay = !matches!(guard.fallback, Fallback::Component(_));
        if let Some(kept) = links.get(name)
            && may_stay
            && kept.guard == guard
        {
            return kept.link.clone();
        }
        let name: Arc<str> = name.into();
        let substitute = Substitute::new(&guard.fallback, neighbours);
        let link = Link::new(
            name.clone(),
            guard.clone(),
            substitute,
            &self.0.announcements,
        );
        let link = Arc::new(link);
        let kept = Kept {
            link: link.clone(),
            guard,
        };
        links.insert(name, kept);
        link
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
        self.link(&format!("gateway -> {component}"), guard)
    }

    /// The link from the clock to a component. Nobody is kept waiting by it, and a sweep is how a component mends
    /// what went wrong; so nothing cuts it off.
    pub fn from_clock(&self, component: &str) -> Arc<Link> {
        let guard = Guard {
            breaker: None,
            ..Guard::default()
        };
        self.link(&format!("clock -> {component}"), guard)
    }

    /// The link from one component to another.
    pub fn between(&self, caller: &str, callee: &str) -> Arc<Link> {
        let guard = self.guards.between(caller, callee);
        self.link(&format!("{caller} -> {callee}"), guard)
    }

    /// The links from a component to hosts elsewhere.
    pub fn outbound(&self, component: &str) -> OutboundLinks {
        OutboundLinks(Arc::new(Elsewhere {
            switchboard: self.clone(),
            guards: self.guards.outbound(component),
            component: component.to_owned(),
            by_origin: RwLock::default(),
        }))
    }

    fn link(&self, name: &str, guard: Guard) -> Arc<Link> {
        self.board.link(name, guard, &self.neighbours)
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
        let name = format!("{component} -> {origin}");
        let link = switchboard.link(&name, guards.to(&origin).clone());
        known.insert(origin, link.clone());
        link
    }
}
