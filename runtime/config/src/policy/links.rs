//! Which guard stands on which link.
//!
//! A link has a caller and an callee: from outside to a component, from a component to another, from a component to a
//! host elsewhere. `[application.tool.socar.links.<id>]` is the first, `[component.<id>.tool.socar.links.<id>]` the
//! second, and there `links.outbound` (every host elsewhere) or `links."https://host:port"` the third.

use std::collections::BTreeMap;

use http::Uri;

use super::link_policy::{Fallback, LinkPolicy};
use crate::document::{ConfigError, suggest};
use crate::document::{Table, Value};

/// The guards of every link of an application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkPolicies {
    /// Of the links to a component whose caller says nothing.
    to: BTreeMap<String, LinkPolicy>,
    ingress: BTreeMap<String, LinkPolicy>,
    between: BTreeMap<(String, String), LinkPolicy>,
    outbound: BTreeMap<String, OutboundPolicies>,
}

/// The guards of the links that leave the platform from one component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutboundPolicies {
    other: LinkPolicy,
    origins: BTreeMap<String, LinkPolicy>,
}

/// What the links of an application are made of, before it is known which components there are.
pub(crate) struct LinkTables {
    /// The application's guard, from which links out of the platform start.
    pub(crate) base: LinkPolicy,
    /// `[application.tool.socar.links]`.
    pub(crate) application: Option<Table>,
    /// By component: its own guard, and its `links` table.
    pub(crate) components: Vec<(String, LinkPolicy, Option<Table>)>,
}

/// The key that stands for every host elsewhere.
const OUTBOUND: &str = "outbound";

// === impl LinkPolicies ===

impl LinkPolicies {
    /// Reads the tables of all links.
    ///
    /// # Errors
    /// When one leads nowhere, or a key or value makes no sense.
    pub(crate) fn read(written: LinkTables) -> Result<Self, ConfigError> {
        let LinkTables {
            base,
            application,
            components,
        } = written;
        let mut links = Self::default();
        let mut tables = Vec::new();
        for (id, guard, table) in components {
            links.to.insert(id.clone(), guard);
            links.outbound.insert(
                id.clone(),
                OutboundPolicies {
                    other: base.clone(),
                    origins: BTreeMap::new(),
                },
            );
            tables.extend(table.map(|table| (id, table)));
        }
        for (callee, value) in application.map(Table::into_named).unwrap_or_default() {
            let guard = links.inside(&callee, value)?;
            links.ingress.insert(callee, guard);
        }
        for (caller, table) in tables {
            links.overlay_component(&caller, table)?;
        }
        links.check_fallbacks()?;
        Ok(links)
    }

    /// The guard of the link from outside to a component.
    pub fn ingress(&self, callee: &str) -> LinkPolicy {
        let own = self.ingress.get(callee);
        own.or_else(|| self.to.get(callee))
            .cloned()
            .unwrap_or_default()
    }

    /// The guard of the link from one component to another.
    pub fn between(&self, caller: &str, callee: &str) -> LinkPolicy {
        let own = self.between.get(&(caller.to_owned(), callee.to_owned()));
        own.or_else(|| self.to.get(callee))
            .cloned()
            .unwrap_or_default()
    }

    /// The guards of the links from a component to hosts elsewhere.
    pub fn outbound(&self, caller: &str) -> OutboundPolicies {
        self.outbound.get(caller).cloned().unwrap_or_default()
    }

    /// How many calls of a component may come over links with places of their own, all together.
    pub fn link_permits(&self, callee: &str) -> usize {
        let ingress = self.ingress.get(callee);
        let between = self.between.iter().filter(|((_, it), _)| it == callee);
        let guards = ingress.into_iter().chain(between.map(|(_, guard)| guard));
        guards.filter_map(|guard| guard.concurrency).sum()
    }

    fn overlay_component(&mut self, caller: &str, table: Table) -> Result<(), ConfigError> {
        let mut origins = Vec::new();
        let mut outbound = self.outbound(caller);
        for (callee, value) in table.into_named() {
            if callee == OUTBOUND {
                outbound.other = outbound.other.of_link(value.table()?)?;
            } else if callee.contains("://") {
                origins.push((callee, value));
            } else {
                let guard = self.inside(&callee, value)?;
                self.between.insert((caller.to_owned(), callee), guard);
            }
        }
        // They start from what holds for all hosts, wherever in the file that stands.
        for (callee, value) in origins {
            let origin = origin_of(&callee, &value)?;
            let guard = outbound.other.clone().of_link(value.table()?)?;
            outbound.origins.insert(origin, guard);
        }
        self.outbound.insert(caller.to_owned(), outbound);
        Ok(())
    }

    fn inside(&self, callee: &str, value: Value) -> Result<LinkPolicy, ConfigError> {
        let Some(guard) = self.to.get(callee) else {
            return Err(value.error(
                "no link leads there",
                suggest(callee, self.to.keys().map(String::as_str), "remove it"),
            ));
        };
        guard.clone().of_link(value.table()?)
    }

    /// Makes sure that every component to fall back on is there.
    fn check_fallbacks(&self) -> Result<(), ConfigError> {
        let inside = self.to.values().chain(self.ingress.values());
        let outside = self
            .outbound
            .values()
            .flat_map(|it| std::iter::once(&it.other).chain(it.origins.values()));
        for guard in inside.chain(self.between.values()).chain(outside) {
            if let Fallback::Component(id) = &guard.fallback
                && !self.to.contains_key(&id.value)
            {
                return Err(id.error(
                    "there is no such component to fall back on",
                    suggest(&id.value, self.to.keys().map(String::as_str), "remove it"),
                ));
            }
        }
        Ok(())
    }
}

// === impl OutboundPolicies ===

impl OutboundPolicies {
    /// The guard of the link to this origin, such as `https://host:443`.
    pub fn to(&self, origin: &str) -> &LinkPolicy {
        self.origins.get(origin).unwrap_or(&self.other)
    }
}

/// The origin of an address, with its port even if that is the scheme's own: links are named so.
pub fn origin(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?;
    let port = uri.port_u16().or(match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    let host = uri.host()?.to_ascii_lowercase();
    Some(format!("{scheme}://{host}:{port}"))
}

fn origin_of(written: &str, value: &Value) -> Result<String, ConfigError> {
    let uri: Option<Uri> = written.parse().ok();
    let is_bare = |uri: &Uri| matches!(uri.path(), "" | "/") && uri.query().is_none();
    uri.filter(is_bare)
        .and_then(|uri| origin(&uri))
        .ok_or_else(|| {
            value.error(
                "not a host elsewhere",
                "write it as \"https://host\" or \"http://host:port\", without a path",
            )
        })
}
