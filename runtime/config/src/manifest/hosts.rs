//! `allowed_outbound_hosts`: where a component may connect to.
//!
//! An entry is `scheme://host[:port]`; each part may be a wildcard. Everything that is not listed is denied. An entry
//! that a template leaves empty is skipped, which makes an endpoint optional. Where stock Spin refuses a *templated*
//! entry with a path (`{{ gateway_url }}` = `http://gateway/payments`), we grant its origin: a path was never part of
//! the permission.

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
    /// Whether a template left an entry empty.
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
    /// Whether a connection to this host is allowed. Without a port it is the scheme's own.
    ///
    /// The component itself is `self` or `self.alt`; another component is `<id>.spin.internal`, where the scheme
    /// counts as everywhere else.
    pub fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let host = unbracketed(host).to_ascii_lowercase();
        let port = port.or_else(|| default_port(scheme));
        self.entries
            .iter()
            .any(|entry| entry.allows(scheme, &host, port))
    }

    /// Whether a connection to this address is allowed: a whole URL, or `host[:port]` of the given scheme.
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

    /// The components that may be called through service chaining.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(HostEntry::chained)
    }

    /// Whether any host of this scheme is listed, even one whose variable is empty just now.
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

    /// Checks the entries of a component and fills their templates.
    pub(crate) fn resolve(
        entries: &[Located<String>],
        values: &ResolvedVariables,
        components: &[ComponentId],
    ) -> Result<Self, ConfigError> {
        let mut allowed = Self::default();
        for written in entries {
            let filled = values.render(written)?;
            if filled.templated && ["", "http://", "https://"].contains(&filled.text.as_str()) {
                allowed.optional = true;
                continue;
            }
            let parse = if filled.templated {
                HostEntry::parse_filled
            } else {
                HostEntry::parse
            };
            let entry = parse(&filled.text).map_err(|fault| {
                let problem = match filled.templated {
                    true => format!("it resolves to {}: {}", filled.shown(), fault.problem),
                    false => fault.problem,
                };
                written.error(problem, fault.remedy)
            })?;
            allowed.entries.extend(entry.expand(written, components)?);
        }
        Ok(allowed)
    }
}

/// Whether an entry, as it is written, names another component; templates are not looked into.
///
/// Stock Spin decides from this, before it resolves anything, whether a component needs service chaining.
pub(crate) fn names_component(written: &str) -> bool {
    HostEntry::parse(written).is_ok_and(|entry| match &entry.host {
        HostPattern::Name(name) => name.ends_with(CHAINING_SUFFIX),
        HostPattern::Below(suffix) => suffix == CHAINING_SUFFIX,
        _ => false,
    })
}

/// The component that an entry names literally, if it does.
pub(crate) fn named_component(written: &str) -> Option<String> {
    let entry = HostEntry::parse(written).ok()?;
    entry.chained().map(str::to_owned)
}

/// Whether a URL is that of another component.
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

    /// A template usually holds the address that the component calls, path and credentials included.
    fn parse_filled(text: &str) -> Result<Self, AddressError> {
        Self::parse(text).or_else(|fault| match text.trim().split_once("://") {
            Some((scheme, rest)) => {
                Self::parse(&format!("{scheme}://{}", origin(rest))).map_err(|_| fault)
            }
            None => Err(fault),
        })
    }

    fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let scheme_fits = self
            .scheme
            .as_ref()
            .is_none_or(|allowed| allowed.eq_ignore_ascii_case(scheme));
        if host == "self" || host == "self.alt" {
            return scheme_fits && matches!(self.host, HostPattern::Any | HostPattern::Oneself);
        }
        scheme_fits && self.host.allows(host) && self.port.allows(port)
    }

    fn chained(&self) -> Option<&str> {
        match &self.host {
            HostPattern::Name(name) => name.strip_suffix(CHAINING_SUFFIX),
            _ => None,
        }
    }

    /// `*.spin.internal` stands for every component; a single one must exist.
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
