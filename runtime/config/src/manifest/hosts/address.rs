//! The host and the port of an entry of `allowed_outbound_hosts`.

use std::net::IpAddr;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    Any,
    /// The component itself, as `http://self.alt/…`.
    Itself,
    Name(String),
    /// `*.example.com`, kept as `.example.com`.
    Below(String),
    Address(IpAddr),
    Network(IpAddr, u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PortPattern {
    Any,
    One(u16),
    Among(Range<u16>),
}

/// The problem of an entry and its remedy.
pub(super) struct AddressError {
    pub(super) problem: String,
    pub(super) remedy: String,
}

// === impl HostPattern ===

impl HostPattern {
    pub(super) fn parse(scheme: &str, host: &str) -> Result<Self, AddressError> {
        let lowered = host.to_ascii_lowercase();
        match lowered.as_str() {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Itself),
            "" => {
                return Err(AddressError::new(
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
        if let Some((name, path)) = lowered.split_once('/') {
            if let Ok(address) = unbracketed(name).parse::<IpAddr>() {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                return Err(AddressError::new(
                    format!("`{path}` is not a number of bits"),
                    format!("write the CIDR block as {address}/<0 to {bits}>"),
                ));
            }
            return Err(AddressError::new(
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
    pub(super) fn allows(&self, host: &str) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        match (self, address) {
            (Self::Any, _) => true,
            (Self::Itself, _) => false,
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

fn check_domain(domain: &str) -> Result<(), AddressError> {
    let labelled = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if domain.contains('*') {
        return Err(AddressError::new(
            "a wildcard is only allowed at the start of the host",
            "use `*` alone or first, as in `*.example.com`",
        ));
    }
    let labels: Vec<&str> = domain
        .strip_suffix('.')
        .unwrap_or(domain)
        .split('.')
        .collect();
    // A name whose last label is a number is an incomplete address.
    let numbered = labels
        .last()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if labels.iter().copied().all(labelled) && !numbered {
        return Ok(());
    }
    let problem = format!("`{domain}` is not a host name");
    Err(AddressError::new(
        problem,
        "write a domain name (punycode for other letters), an IP address or a CIDR block",
    ))
}

fn parse_network(text: &str) -> Option<HostPattern> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    network_part(address, bits).map(|_| HostPattern::Network(address, bits))
}

/// The leading bits of an address; `None` if it has fewer.
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

// === impl PortPattern ===

impl PortPattern {
    pub(super) fn parse(
        scheme: &str,
        host: &str,
        port: Option<&str>,
    ) -> Result<Self, AddressError> {
        let malformed = |port: &str| {
            AddressError::new(
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
                AddressError::new(
                    format!("it has no port, and `{scheme}` has no default one"),
                    format!("write the port, such as `{scheme}://{host}:8080`, or `*` for any"),
                )
            }),
        }
    }

    pub(super) fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::One(allowed), Some(port)) => *allowed == port,
            (Self::Among(allowed), Some(port)) => allowed.contains(&port),
            (_, None) => false,
        }
    }
}

// === impl AddressError ===

impl AddressError {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

/// Splits `host:port`. An IPv6 network contains colons, an IPv6 address is in brackets.
pub(super) fn split_port(rest: &str) -> Result<(&str, Option<&str>), AddressError> {
    let without_port = rest.ends_with(']') || parse_network(rest).is_some();
    match rest.rsplit_once(':') {
        Some((host, _)) if !without_port && is_part_of_ipv6(host) => Err(AddressError::new(
            "an IPv6 address must be in brackets",
            "write [::1], or [::1]:8080 with a port",
        )),
        Some((host, "")) if !without_port => Ok((host, None)),
        Some((host, port)) if !without_port => match port.split_once('/') {
            None => Ok((host, Some(port))),
            Some(_) => Err(AddressError::new(
                "it has a path",
                "name the host and port alone",
            )),
        },
        _ => Ok((rest, None)),
    }
}

/// Whether a text before a colon belongs to an IPv6 address without brackets.
fn is_part_of_ipv6(text: &str) -> bool {
    let is_of_address = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
    text.contains(':') && text.bytes().all(is_of_address)
}

/// The `host:port` of `user:password@host:port/path?query`.
pub(super) fn origin(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

pub(super) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

pub(super) fn default_port(scheme: &str) -> Option<u16> {
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
