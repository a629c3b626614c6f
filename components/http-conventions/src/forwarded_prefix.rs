//! `X-Forwarded-Prefix`: the path below which proxies show the platform, and with which links begin.

use alloc::string::String;

/// The header with the prefixes of all proxies.
pub const FORWARDED_PREFIX: &str = "x-forwarded-prefix";

/// Maximum length of a path prefix, in bytes.
const MAX_LENGTH: usize = 200;

/// The prefixes of all proxies in the value of the header, the outermost one first. The result begins with a slash and
/// ends without one; `None` if the value is empty or malformed.
#[must_use]
pub fn forwarded_prefix(value: &str) -> Option<String> {
    let parts = value
        .split(',')
        .map(|part| part.trim().trim_end_matches('/'));
    let prefix: String = parts.collect();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let is_path =
        prefix.starts_with('/') && !prefix.contains("//") && prefix.bytes().all(is_allowed);
    (is_path && prefix.len() <= MAX_LENGTH).then_some(prefix)
}
