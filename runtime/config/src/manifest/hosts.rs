//! `allowed_outbound_hosts`: the hosts that a component may connect to.
//!
//! An entry is `scheme://host[:port]`; each part may be a wildcard. All other hosts are denied. An entry that a template
//! leaves empty is skipped, so that an endpoint can be optional. A *templated* entry with a path, such as
//! `{{ gateway_url }}` with the value `http://gateway/payments`, grants the origin. Stock Spin rejects it, although a path
//! is never part of the permission.

use super::names::ComponentId;
use super::variables::ResolvedVariables;
use crate::document::{ConfigError, Located, suggest};
use address::{
    AddressError, HostPattern, PortPattern, default_port, origin, split_port, unbracketed,
};

mod address;

/// The hosts that one component may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    entries: Vec<HostEntry>,
    /// Whether an entry is skipped, because its template is empty or has no value.
    optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HostEntry {
    /// `None` is any scheme.
    scheme: Option<String>,
    host: HostPattern,
    port: PortPattern,
}

const CHAINING_SUFFIX: &str = ".spin.internal";

// === impl AllowedHosts ===

impl AllowedHosts {
    /// Whether a connection to this host is allowed. Without `port`, the default port of the scheme applies.
    ///
    /// The component itself is `self` or `self.alt`; another component is `<id>.spin.internal`.
    pub fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let host = unbracketed(host).to_ascii_lowercase();
        let port = port.or_else(|| default_port(scheme));
        self.entries
            .iter()
            .any(|entry| entry.allows(scheme, &host, port))
    }

    /// Whether a connection to this address is allowed: a URL, or `host[:port]` of the default scheme.
    pub fn allows_url(&self, url: &str, default_scheme: &str) -> bool {
        let (scheme, rest) = url.split_once("://").unwrap_or((default_scheme, url));
        let Ok((host, port)) = split_port(origin(rest)) else {
            return false;
        };
        match port {
            None => self.allows(scheme, host, None),
            Some(port) => port
                .parse()
                .is_ok_and(|port| self.allows(scheme, host, Some(port))),
        }
    }

    /// The ids of the components that may be called through service chaining.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(HostEntry::chained)
    }

    /// Whether an entry allows this scheme; a skipped entry may allow every scheme.
    pub(crate) fn may_use(&self, scheme: &str) -> bool {
        let fits = |entry: &HostEntry| {
            entry
                .scheme
                .as_deref()
                .is_none_or(|allowed| allowed == scheme)
        };
        self.optional || self.entries.iter().any(fits)
    }

    /// Whether no host is allowed.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Renders and checks the entries of a component.
    ///
    /// # Errors
    /// When an entry is malformed, or names a component that does not exist.
    pub(crate) fn resolve(
        entries: &[Located<String>],
        variables: &ResolvedVariables,
        components: &[ComponentId],
    ) -> Result<Self, ConfigError> {
        let mut allowed = Self::default();
        for written in entries {
            let rendered = variables.render(written)?;
            let is_empty = ["", "http://", "https://"].contains(&rendered.text.as_str());
            if rendered.unresolved || (rendered.templated && is_empty) {
                allowed.optional = true;
                continue;
            }
            let parse = if rendered.templated {
                HostEntry::parse_rendered
            } else {
                HostEntry::parse
            };
            let entry = parse(&rendered.text).map_err(|error| {
                let problem = match rendered.templated {
                    true => format!("it resolves to {}: {}", rendered.shown(), error.problem),
                    false => error.problem,
                };
                written.error(problem, error.remedy)
            })?;
            allowed.entries.extend(entry.expand(written, components)?);
        }
        Ok(allowed)
    }
}

/// Whether an entry literally names another component, or all of them. Templates are not rendered: stock Spin decides
/// before it renders them whether a component needs service chaining.
pub fn is_chaining_host(written: &str) -> bool {
    HostEntry::parse(written).is_ok_and(|entry| match &entry.host {
        HostPattern::Name(name) => name.ends_with(CHAINING_SUFFIX),
        HostPattern::Below(suffix) => suffix == CHAINING_SUFFIX,
        _ => false,
    })
}

/// The component that an entry literally names.
pub(crate) fn named_component(written: &str) -> Option<String> {
    let entry = HostEntry::parse(written).ok()?;
    entry.chained().map(str::to_owned)
}

/// Whether the host of a URL is a component.
pub(crate) fn is_component(url: &str) -> bool {
    let host = url.split_once("://").map(|(_, rest)| origin(rest));
    host.and_then(|host| split_port(host).ok())
        .is_some_and(|(host, _)| host.to_ascii_lowercase().ends_with(CHAINING_SUFFIX))
}

// === impl HostEntry ===

impl HostEntry {
    fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(AddressError::new(
                "it has no scheme",
                "write scheme://host[:port], such as `https://example.com`",
            ));
        };
        let (host, port) = split_port(rest.strip_suffix('/').unwrap_or(rest))?;
        Ok(Self {
            scheme: parse_scheme(scheme)?,
            port: PortPattern::parse(scheme, host, port)?,
            host: HostPattern::parse(scheme, host)?,
        })
    }

    /// Parses a rendered template, which usually is the URL that the component calls, with a path and credentials.
    fn parse_rendered(text: &str) -> Result<Self, AddressError> {
        Self::parse(text).or_else(|error| match text.trim().split_once("://") {
            Some((scheme, rest)) => {
                // What is wrong with the address matters; its path and credentials are allowed.
                Self::parse(&format!("{scheme}://{}", origin(rest)))
            }
            None => Err(error),
        })
    }

    fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let scheme_fits = self
            .scheme
            .as_ref()
            .is_none_or(|allowed| allowed.eq_ignore_ascii_case(scheme));
        if host == "self" || host == "self.alt" {
            return scheme_fits && matches!(self.host, HostPattern::Any | HostPattern::Itself);
        }
        scheme_fits && self.host.allows(host) && self.port.allows(port)
    }

    fn chained(&self) -> Option<&str> {
        match &self.host {
            HostPattern::Name(name) => name.strip_suffix(CHAINING_SUFFIX),
            _ => None,
        }
    }

    /// Replaces `*.spin.internal` by an entry for every component.
    ///
    /// # Errors
    /// When a component does not exist.
    fn expand(
        self,
        written: &Located<String>,
        components: &[ComponentId],
    ) -> Result<Vec<Self>, ConfigError> {
        if self.host == HostPattern::Below(CHAINING_SUFFIX.to_owned()) {
            let name = |id: &ComponentId| HostPattern::Name(format!("{id}{CHAINING_SUFFIX}"));
            return Ok(components
                .iter()
                .map(|id| Self {
                    host: name(id),
                    ..self.clone()
                })
                .collect());
        }
        match self.chained() {
            Some(id) if !components.iter().any(|known| known == id) => Err(written.error(
                format!("there is no component `{id}`"),
                suggest(
                    id,
                    components.iter().map(ComponentId::as_str),
                    "declare it as a [component.<id>]",
                ),
            )),
            _ => Ok(vec![self]),
        }
    }
}

fn parse_scheme(scheme: &str) -> Result<Option<String>, AddressError> {
    if scheme == "*" {
        return Ok(None);
    }
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(AddressError::new(
            format!("`{scheme}` is not a scheme"),
            "write one such as `http`, `https` or `redis`, or `*` for any",
        ));
    }
    Ok(Some(scheme.to_ascii_lowercase()))
}
