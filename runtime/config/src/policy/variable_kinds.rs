//! `[application.tool.socar.variables]`: what the value of a variable must be.
//!
//! A manifest of Spin has texts only. A wrong text would otherwise be found by the first request that needs it.

use std::collections::BTreeMap;

use http::{HeaderValue, Uri};

use crate::document::{ConfigError, Located, Table, suggest};
use crate::redis_url;

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariableKind {
    /// A whole number from 0.
    Number,
    /// An `http` or `https` URL, or nothing.
    HttpUrl,
    /// A Redis address.
    RedisUrl,
    /// A text that a header can carry, such as a bearer token, or nothing.
    HeaderValue,
    /// Keys with which programs sign, one a line, or nothing.
    SigningKeys,
}

const NAMES: [&str; 5] = [
    "number",
    "http-url",
    "redis-url",
    "header-value",
    "signing-keys",
];

/// The kinds of variables, by name.
pub(crate) type VariableKinds = BTreeMap<String, Located<VariableKind>>;

/// Takes the table `variables`.
///
/// # Errors
/// When a kind is unknown.
pub(super) fn read(table: &mut Table) -> Result<VariableKinds, ConfigError> {
    let mut kinds = VariableKinds::new();
    for (name, written) in table.named_strings("variables")? {
        let Some(value) = VariableKind::named(&written.value) else {
            let remedy = suggest(&written.value, NAMES, "");
            return Err(written.error("unknown kind of value", remedy));
        };
        let kind = Located {
            value,
            at: written.at,
        };
        kinds.insert(name, kind);
    }
    Ok(kinds)
}

// === impl VariableKind ===

impl VariableKind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "number" => Some(Self::Number),
            "http-url" => Some(Self::HttpUrl),
            "redis-url" => Some(Self::RedisUrl),
            "header-value" => Some(Self::HeaderValue),
            "signing-keys" => Some(Self::SigningKeys),
            _ => None,
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(crate) fn check(self, value: &str) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self::Number => match value.trim().parse::<u64>() {
                Ok(_) => Ok(()),
                Err(_) => Err(("not a whole number", "such as 100000")),
            },
            Self::HttpUrl if value.trim().is_empty() => Ok(()),
            Self::HttpUrl => check_http_url(value.trim())
                .map_err(|problem| (problem, "such as https://example.com/pay, percent-encoded")),
            Self::RedisUrl => redis_url::check(value)
                .map_err(|problem| (problem, "such as redis://127.0.0.1:6379")),
            Self::SigningKeys => match value.lines().all(is_visible) {
                true => Ok(()),
                false => Err((
                    "a line begins or ends with white space, or contains more than visible ASCII and spaces",
                    "one key a line, such as 32 random letters and digits",
                )),
            },
            Self::HeaderValue => match is_visible(value) && HeaderValue::from_str(value).is_ok() {
                true => Ok(()),
                false => Err((
                    "no header can carry it: it begins or ends with white space, or contains more than visible ASCII and spaces",
                    "without a newline at the end",
                )),
            },
        }
    }
}

/// Whether a text is visible ASCII and spaces, without spaces at its ends.
fn is_visible(text: &str) -> bool {
    text.trim() == text && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

fn check_http_url(url: &str) -> Result<(), &'static str> {
    // The parser of URIs accepts letters beyond ASCII in a path, and no client can send them.
    if !url.is_ascii() || url.contains(char::is_whitespace) {
        return Err("not a URL: it contains white space or letters beyond ASCII");
    }
    let uri: Uri = url.parse().map_err(|_| "not a URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("not an http or https URL");
    }
    match uri.host() {
        Some(host) if !host.is_empty() => Ok(()),
        _ => Err("it names no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_accepts_what_its_users_can_use() {
        use VariableKind::{HeaderValue, HttpUrl, Number, RedisUrl, SigningKeys};
        for (kind, value, is_right) in [
            (Number, "100000000", true),
            (Number, " 5 ", true),
            (Number, "abc", false),
            (Number, "5000 # won", false),
            (Number, "", false),
            (Number, "-1", false),
            (HttpUrl, "", true),
            (HttpUrl, "http://u:p@localhost:9/pay?k=1", true),
            (HttpUrl, " https://[::1]/pay ", true),
            (HttpUrl, "http://127.0.0.1:23900/결제", false),
            (HttpUrl, "http://u:a b@h/pay", false),
            (HttpUrl, "localhost:9", false),
            (HttpUrl, "ftp://h", false),
            (RedisUrl, "rediss://h:1", true),
            (RedisUrl, "redis://h:x", false),
            (HeaderValue, "", true),
            (HeaderValue, "s3cret", true),
            (HeaderValue, "s3cret\n", false),
            (HeaderValue, "two words", true),
            (HeaderValue, "word ", false),
            (HeaderValue, "café", false),
            (SigningKeys, "", true),
            (SigningKeys, "s3cret\n", true),
            (SigningKeys, "new key\r\nold key\r\n", true),
            (SigningKeys, "new \nold", false),
            (SigningKeys, "café", false),
        ] {
            assert_eq!(kind.check(value).is_ok(), is_right, "{kind:?} {value:?}");
        }
    }
}
