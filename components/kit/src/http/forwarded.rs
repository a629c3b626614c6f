//! The address under which a client reached the outermost proxy: `Forwarded` (RFC 7239), else the `X-Forwarded-*`
//! headers.
//!
//! Of a list, the first element counts, which the outermost proxy wrote. A part that is missing, empty or malformed in
//! one header is taken from the next one. Whether a client may send these headers at all is the host's decision.

use http::{HeaderMap, uri::Authority};
use http_conventions::forwarded_prefix::{FORWARDED_PREFIX, forwarded_prefix};

/// The parts of the address that the headers tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// `https` or `http`.
    pub(super) scheme: Option<&'static str>,
    /// Host and port.
    pub(super) authority: Option<String>,
    /// The path below which the proxy shows the platform; empty, or with a slash at its beginning and none at its end.
    pub(super) prefix: String,
}

impl Forwarded {
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let first = |name: &str| first_element(headers, name);
        let scheme = parameter(headers, "proto").and_then(|text| http_scheme(&text));
        let scheme = scheme.or_else(|| first("x-forwarded-proto").and_then(http_scheme));
        let standard = parameter(headers, "host").and_then(|text| authority(&text));
        let other = || {
            let host = authority(first("x-forwarded-host")?)?;
            Some(with_port(host, first("x-forwarded-port"), scheme))
        };
        Self {
            scheme,
            authority: standard.or_else(other),
            prefix: prefix(headers).unwrap_or_default(),
        }
    }
}

/// A scheme that links can have.
pub(super) fn http_scheme(text: &str) -> Option<&'static str> {
    let known = ["https", "http"].into_iter();
    known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(text))
}

/// A host with an optional port, without user information and other characters than those of a host. An empty port is
/// left out (RFC 3986, 6.2.3).
pub(super) fn authority(text: &str) -> Option<String> {
    let text = text.strip_suffix(':').unwrap_or(text);
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let authority: Authority = text.parse().ok()?;
    let is_whole = authority.host() == text || authority.port_u16().is_some();
    let is_authority = text.bytes().all(is_allowed) && !authority.host().is_empty() && is_whole;
    is_authority.then(|| text.to_owned())
}

/// The first element of a list header.
fn first_element<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?;
    let first = text.split(',').next()?.trim();
    (!first.is_empty()).then_some(first)
}

/// A parameter of the first element of `Forwarded`.
fn parameter(headers: &HeaderMap, name: &str) -> Option<String> {
    let element = first_element(headers, "forwarded")?;
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let value = |(key, value): (&str, &str)| {
        let value = value.trim();
        let unquoted = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let is_named = key.trim().eq_ignore_ascii_case(name);
        is_named.then(|| unquoted.unwrap_or(value).to_owned())
    };
    pairs.filter_map(value).next()
}

/// A host with the port of another header, unless it has one itself or the port is the scheme's own.
fn with_port(host: String, port: Option<&str>, scheme: Option<&str>) -> String {
    let port: Option<u16> = port.and_then(|text| text.parse().ok());
    let has_port = host
        .parse::<Authority>()
        .is_ok_and(|authority| authority.port().is_some());
    match port {
        Some(443) if scheme == Some("https") => host,
        Some(80) if scheme != Some("https") => host,
        Some(port) if !has_port => format!("{host}:{port}"),
        _ => host,
    }
}

/// The prefixes of all proxies, the outermost one first.
fn prefix(headers: &HeaderMap) -> Option<String> {
    forwarded_prefix(headers.get(FORWARDED_PREFIX)?.to_str().ok()?)
}
