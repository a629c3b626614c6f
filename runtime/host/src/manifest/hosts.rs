//! `allowed_outbound_hosts`: where a component may connect to.
//!
//! An entry is `scheme://host[:port]`; each part may be a wildcard. Everything that is not listed is denied. An entry
//! that a template leaves empty is skipped, which makes an endpoint optional. Where stock Spin refuses a *templated*
//! entry with a path (`{{ gateway_url }}` = `http://gateway/payments`), we grant its origin: a path was never part of
//! the permission.

use std::net::IpAddr;
use std::ops::Range;

use super::error::{ConfigError, Located, known_names};
use super::names::ComponentId;
use super::variables::Values;

/// The hosts that one component may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// `None` is any scheme.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// This application itself, as `http://self.alt/…`.
    Oneself,
    Name(String),
    /// `*.example.com`, kept as `.example.com`.
    Below(String),
    Address(IpAddr),
    Network(IpAddr, u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Any,
    One(u16),
    Among(Range<u16>),
}

/// What is wrong with an entry, and what would be right.
struct Fault {
    problem: String,
    remedy: String,
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
        self.entries.iter().filter_map(Entry::chained)
    }

    /// Whether nothing at all is allowed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Checks the entries of a component and fills their templates.
    pub(crate) fn resolve(
        entries: &[Located<String>],
        values: &Values,
        components: &[ComponentId],
    ) -> Result<Self, ConfigError> {
        let mut allowed = Self::default();
        for written in entries {
            let filled = values.fill(written)?;
            if filled.templated && ["", "http://", "https://"].contains(&filled.text.as_str()) {
                continue;
            }
            let parse = if filled.templated {
                Entry::parse_filled
            } else {
                Entry::parse
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
    Entry::parse(written).is_ok_and(|entry| match &entry.host {
        Host::Name(name) => name.ends_with(CHAINING_SUFFIX),
        Host::Below(suffix) => suffix == CHAINING_SUFFIX,
        _ => false,
    })
}

/// The component that an entry names literally, if it does.
pub(crate) fn named_component(written: &str) -> Option<String> {
    let entry = Entry::parse(written).ok()?;
    entry.chained().map(str::to_owned)
}

// === impl Entry ===

impl Entry {
    fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Fault::new(
                "it has no scheme",
                "write scheme://host[:port], such as `https://example.com`",
            ));
        };
        let (host, port) = split_port(rest.strip_suffix('/').unwrap_or(rest))?;
        Ok(Self {
            scheme: parse_scheme(scheme)?,
            port: Port::parse(scheme, host, port)?,
            host: Host::parse(scheme, host)?,
        })
    }

    /// A template usually holds the address that the component calls, path and credentials included.
    fn parse_filled(text: &str) -> Result<Self, Fault> {
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
            return scheme_fits && matches!(self.host, Host::Any | Host::Oneself);
        }
        scheme_fits && self.host.allows(host) && self.port.allows(port)
    }

    fn chained(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => name.strip_suffix(CHAINING_SUFFIX),
            _ => None,
        }
    }

    /// `*.spin.internal` stands for every component; a single one must exist.
    fn expand(
        self,
        written: &Located<String>,
        components: &[ComponentId],
    ) -> Result<Vec<Self>, ConfigError> {
        if self.host == Host::Below(CHAINING_SUFFIX.to_owned()) {
            let name = |id: &ComponentId| Host::Name(format!("{id}{CHAINING_SUFFIX}"));
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
                known_names(
                    id,
                    components.iter().map(ComponentId::as_str),
                    "declare it as a [component.<id>]",
                ),
            )),
            _ => Ok(vec![self]),
        }
    }
}

// === impl Host ===

impl Host {
    fn parse(scheme: &str, host: &str) -> Result<Self, Fault> {
        let lowered = host.to_ascii_lowercase();
        match lowered.as_str() {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Oneself),
            "" => {
                return Err(Fault::new(
                    "it has no host",
                    format!("write {scheme}://<host>, or {scheme}://* for any host"),
                ));
            }
            _ => {}
        }
        if let Ok(address) = unbracketed(&lowered).parse() {
            return Ok(Self::Address(address));
        }
        if let Some(network) = parse_network(&lowered) {
            return Ok(network);
        }
        if let Some((name, _)) = lowered.split_once('/') {
            return Err(Fault::new(
                "it has a path",
                format!("name the host alone: `{scheme}://{name}`"),
            ));
        }
        if let Some(domain) = lowered.strip_prefix("*.") {
            check_domain(domain)?;
            return Ok(Self::Below(format!(".{domain}")));
        }
        check_domain(&lowered)?;
        Ok(Self::Name(lowered))
    }

    /// `host` is in lower case and without brackets.
    fn allows(&self, host: &str) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        match (self, address) {
            (Self::Any, _) => true,
            (Self::Oneself, _) => false,
            (Self::Name(name), None) => host == name,
            (Self::Below(suffix), None) => host.ends_with(suffix),
            (Self::Address(allowed), Some(address)) => address == *allowed,
            (Self::Network(network, bits), Some(address)) => {
                network_part(address, *bits) == Some(network_bits(*network, *bits))
                    && address.is_ipv4() == network.is_ipv4()
            }
            _ => false,
        }
    }
}

fn check_domain(domain: &str) -> Result<(), Fault> {
    let labelled = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if domain.contains('*') {
        return Err(Fault::new(
            "a wildcard stands in the middle of the host",
            "use `*` alone or first, as in `*.example.com`",
        ));
    }
    if domain
        .strip_suffix('.')
        .unwrap_or(domain)
        .split('.')
        .all(labelled)
    {
        return Ok(());
    }
    let problem = format!("`{domain}` is not a host name");
    Err(Fault::new(
        problem,
        "write a domain name (punycode for other letters), an IP address or a CIDR block",
    ))
}

fn parse_network(text: &str) -> Option<Host> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = unbracketed(address).parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    network_part(address, bits).map(|_| Host::Network(address, bits))
}

/// The leading bits of an address, or nothing if it has fewer.
fn network_part(address: IpAddr, bits: u8) -> Option<u128> {
    let width = if address.is_ipv4() { 32 } else { 128 };
    (bits <= width).then(|| network_bits(address, bits))
}

fn network_bits(address: IpAddr, bits: u8) -> u128 {
    let (value, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    value.checked_shr(width - u32::from(bits)).unwrap_or(0)
}

// === impl Port ===

impl Port {
    fn parse(scheme: &str, host: &str, port: Option<&str>) -> Result<Self, Fault> {
        let malformed = |port: &str| {
            Fault::new(
                format!("`{port}` is not a port"),
                "write a number, a range such as `8000..8010`, or `*`",
            )
        };
        match port {
            Some("*") => Ok(Self::Any),
            Some(range) if range.contains("..") => {
                let bounds = range
                    .split_once("..")
                    .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
                bounds
                    .filter(|bounds| !bounds.is_empty())
                    .map(Self::Among)
                    .ok_or_else(|| malformed(range))
            }
            Some(number) => number.parse().map(Self::One).map_err(|_| malformed(number)),
            None => default_port(scheme).map(Self::One).ok_or_else(|| {
                Fault::new(
                    format!("it has no port, and `{scheme}` has no usual one"),
                    format!("write the port, such as `{scheme}://{host}:8080`, or `*` for any"),
                )
            }),
        }
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::One(allowed), Some(port)) => *allowed == port,
            (Self::Among(allowed), Some(port)) => allowed.contains(&port),
            (_, None) => false,
        }
    }
}

// === impl Fault ===

impl Fault {
    fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

fn parse_scheme(scheme: &str) -> Result<Option<String>, Fault> {
    if scheme == "*" {
        return Ok(None);
    }
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(Fault::new(
            format!("`{scheme}` is not a scheme"),
            "write one such as `http`, `https` or `redis`, or `*` for any",
        ));
    }
    Ok(Some(scheme.to_ascii_lowercase()))
}

/// Takes `host:port` apart; a bare IPv6 address or network has colons of its own.
fn split_port(rest: &str) -> Result<(&str, Option<&str>), Fault> {
    let without_port =
        rest.parse::<IpAddr>().is_ok() || parse_network(rest).is_some() || rest.ends_with(']');
    match rest.rsplit_once(':') {
        Some((host, "")) if !without_port => Ok((host, None)),
        Some((host, port)) if !without_port => match port.split_once('/') {
            None => Ok((host, Some(port))),
            Some(_) => Err(Fault::new("it has a path", "name the host and port alone")),
        },
        _ => Ok((rest, None)),
    }
}

/// What is left of `user:password@host:port/path?query` when only `host:port` counts.
fn origin(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "mqtt" => Some(1883),
        _ => None,
    }
}
