//! The policies of all links of an application.
//!
//! A link has a caller and a callee. `[application.tool.socar.links.<id>]` is the link from outside to a component,
//! `[component.<id>.tool.socar.links.<id>]` the link from a component to another. `links.outbound` of a component is the
//! link to every external host, `links."https://host:port"` the link to one of them.

use std::collections::BTreeMap;

use http::Uri;

use super::fallback::Fallback;
use super::link_policy::LinkPolicy;
use crate::document::{ConfigError, Table, Value, suggest};

/// The policies of all links of an application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkPolicies {
    /// By callee, for a caller without a table of its own.
    callees: BTreeMap<String, LinkPolicy>,
    /// By callee.
    ingress: BTreeMap<String, LinkPolicy>,
    /// By caller and callee.
    between: BTreeMap<(String, String), LinkPolicy>,
    /// By caller.
    outbound: BTreeMap<String, OutboundPolicies>,
}

/// The policies of the links from one component to external hosts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutboundPolicies {
    other: LinkPolicy,
    origins: BTreeMap<String, LinkPolicy>,
}

/// The tables of all links. They are read when all components are known.
pub(crate) struct LinkTables {
    /// The application's policy, which links to external hosts inherit.
    pub(crate) base: LinkPolicy,
    /// `[application.tool.socar.links]`.
    pub(crate) application: Option<Table>,
    /// For each component its id, its own link policy and its `links` table.
    pub(crate) components: Vec<(String, LinkPolicy, Option<Table>)>,
}

/// The key of the links to all external hosts.
const OUTBOUND: &str = "outbound";

// === impl LinkPolicies ===

impl LinkPolicies {
    /// Reads the tables of all links.
    ///
    /// # Errors
    /// When a callee does not exist, a key is unknown or a value is invalid.
    pub(crate) fn read(tables: LinkTables) -> Result<Self, ConfigError> {
        let LinkTables {
            base,
            application,
            components,
        } = tables;
        let mut links = Self::default();
        let mut tables = Vec::new();
        for (id, policy, table) in components {
            links.callees.insert(id.clone(), policy);
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
            let policy = links.internal(&callee, value)?;
            links.ingress.insert(callee, policy);
        }
        for (caller, table) in tables {
            links.overlay_component(&caller, table)?;
        }
        links.check_fallbacks()?;
        Ok(links)
    }

    /// The policy of the link from outside to a component.
    pub fn ingress(&self, callee: &str) -> LinkPolicy {
        let own = self.ingress.get(callee);
        own.or_else(|| self.callees.get(callee))
            .cloned()
            .unwrap_or_default()
    }

    /// The policy of the link from one component to another.
    pub fn between(&self, caller: &str, callee: &str) -> LinkPolicy {
        let own = self.between.get(&(caller.to_owned(), callee.to_owned()));
        own.or_else(|| self.callees.get(callee))
            .cloned()
            .unwrap_or_default()
    }

    /// The policies of the links from a component to external hosts.
    pub fn outbound(&self, caller: &str) -> OutboundPolicies {
        self.outbound.get(caller).cloned().unwrap_or_default()
    }

    /// The number of permits that the links to a component have of their own, all together.
    pub fn link_permits(&self, callee: &str) -> usize {
        let ingress = self.ingress.get(callee);
        let between = self.between.iter().filter(|((_, it), _)| it == callee);
        let policies = ingress.into_iter().chain(between.map(|(_, policy)| policy));
        policies.filter_map(|policy| policy.concurrency).sum()
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
                let policy = self.internal(&callee, value)?;
                self.between.insert((caller.to_owned(), callee), policy);
            }
        }
        // An origin inherits from `outbound`, which may follow it in the file.
        for (callee, value) in origins {
            let origin = origin_of(&callee, &value)?;
            let policy = outbound.other.clone().of_link(value.table()?)?;
            outbound.origins.insert(origin, policy);
        }
        self.outbound.insert(caller.to_owned(), outbound);
        Ok(())
    }

    fn internal(&self, callee: &str, value: Value) -> Result<LinkPolicy, ConfigError> {
        let Some(policy) = self.callees.get(callee) else {
            return Err(value.error(
                "no link leads there",
                suggest(callee, self.callees.keys().map(String::as_str), "remove it"),
            ));
        };
        policy.clone().of_link(value.table()?)
    }

    /// Checks that every fallback component exists.
    fn check_fallbacks(&self) -> Result<(), ConfigError> {
        let internal = self.callees.values().chain(self.ingress.values());
        let external = self
            .outbound
            .values()
            .flat_map(|it| std::iter::once(&it.other).chain(it.origins.values()));
        for policy in internal.chain(self.between.values()).chain(external) {
            if let Fallback::Component(id) = &policy.fallback
                && !self.callees.contains_key(&id.value)
            {
                return Err(id.error(
                    "there is no such component",
                    suggest(
                        &id.value,
                        self.callees.keys().map(String::as_str),
                        "remove it",
                    ),
                ));
            }
        }
        Ok(())
    }
}

// === impl OutboundPolicies ===

impl OutboundPolicies {
    /// The policy of the link to an origin, such as `https://host:443`.
    pub fn to(&self, origin: &str) -> &LinkPolicy {
        self.origins.get(origin).unwrap_or(&self.other)
    }
}

/// The origin of an address, as in the name of a link: always with the port. `None` without a host, or without a port
/// for a scheme other than `http` and `https`.
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
                "not an external host",
                "write it as \"https://host\" or \"http://host:port\", without a path",
            )
        })
}
