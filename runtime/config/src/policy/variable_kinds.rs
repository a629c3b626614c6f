//! `[application.tool.socar.variables]`: what the value of a variable must be.
//!
//! A manifest of Spin has texts only. A wrong text would otherwise be found by the first request that needs it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use http::{HeaderValue, Uri};

use super::value::count;
use crate::document::{ConfigError, Located, Table, Value, suggest};
use crate::redis_url;

/// The form of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VariableKind {
    /// A whole number within bounds.
    Number(RangeInclusive<u64>),
    /// One of these texts.
    OneOf(Vec<String>),
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

/// The bounds of a number whose kind names none.
const ANY_NUMBER: RangeInclusive<u64> = 0..=u64::MAX;

/// The kinds of variables, by name.
pub(crate) type VariableKinds = BTreeMap<String, Located<VariableKind>>;

/// Takes the table `variables`.
///
/// # Errors
/// When a kind is unknown, or its bounds are invalid.
pub(super) fn read(table: &mut Table) -> Result<VariableKinds, ConfigError> {
    let mut kinds = VariableKinds::new();
    for (name, written) in table.named("variables")? {
        kinds.insert(name, read_kind(written)?);
    }
    Ok(kinds)
}

/// Reads the name of a kind, or a table with its values or bounds.
fn read_kind(written: Value) -> Result<Located<VariableKind>, ConfigError> {
    if !written.is_table() {
        let name = written.string()?;
        let value = VariableKind::named(&name)?;
        return Ok(Located { value, at: name.at });
    }
    let mut table = written.table()?;
    let at = table.at().clone();
    let values = table.strings("values")?;
    let value = if values.is_empty() {
        let name = table.required_string(
            "kind",
            "write the name of a kind, or the known values as values = [\"…\"]",
        )?;
        match VariableKind::named(&name)? {
            VariableKind::Number(_) => VariableKind::Number(number_bounds(&mut table)?),
            kind => kind,
        }
    } else {
        VariableKind::OneOf(values.into_iter().map(|it| it.value).collect())
    };
    table.finish()?;
    Ok(Located { value, at })
}

/// Takes the bounds of a number.
fn number_bounds(table: &mut Table) -> Result<RangeInclusive<u64>, ConfigError> {
    let min = count::<i64>(table, "min", 0..=i64::MAX)?.unwrap_or(0);
    let max = count::<u64>(table, "max", min..=i64::MAX)?.unwrap_or(*ANY_NUMBER.end());
    Ok(min.unsigned_abs()..=max)
}

// === impl VariableKind ===

impl VariableKind {
    /// The kind with one of the values `known`.
    pub(crate) fn one_of<const N: usize>(known: [&str; N]) -> Self {
        Self::OneOf(known.map(str::to_owned).into())
    }

    fn named(name: &Located<String>) -> Result<Self, ConfigError> {
        match name.value.as_str() {
            "number" => Ok(Self::Number(ANY_NUMBER)),
            "http-url" => Ok(Self::HttpUrl),
            "redis-url" => Ok(Self::RedisUrl),
            "header-value" => Ok(Self::HeaderValue),
            "signing-keys" => Ok(Self::SigningKeys),
            unknown => {
                let remedy = suggest(unknown, NAMES, "");
                Err(name.error("unknown kind of value", remedy))
            }
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(crate) fn check(&self, value: &str) -> Result<(), (&'static str, String)> {
        let checked = match self {
            Self::Number(bounds) => match value.trim().parse::<u64>() {
                Ok(number) if bounds.contains(&number) => Ok(()),
                Ok(_) => Err("out of bounds"),
                Err(_) => Err("not a whole number"),
            },
            Self::OneOf(known) => match known.iter().any(|known| known == value) {
                true => Ok(()),
                false => Err("not a known value"),
            },
            Self::HttpUrl if value.trim().is_empty() => Ok(()),
            Self::HttpUrl => check_http_url(value.trim()),
            Self::RedisUrl => redis_url::check(value),
            Self::SigningKeys => match value.lines().all(is_visible) {
                true => Ok(()),
                false => Err(
                    "a line begins or ends with white space, or contains more than visible ASCII and spaces",
                ),
            },
            Self::HeaderValue => match is_visible(value) && HeaderValue::from_str(value).is_ok() {
                true => Ok(()),
                false => Err(
                    "no header can carry it: it begins or ends with white space, or contains more than visible ASCII and spaces",
                ),
            },
        };
        checked.map_err(|problem| (problem, self.right_value()))
    }

    /// What would be right, as the end of a sentence.
    fn right_value(&self) -> String {
        let right = match self {
            Self::Number(bounds) if *bounds == ANY_NUMBER => "such as 100000",
            Self::Number(bounds) => {
                return format!("a number from {} to {}", bounds.start(), bounds.end());
            }
            Self::OneOf(known) => return format!("to `{}`", known.join("` or `")),
            Self::HttpUrl => "such as https://example.com/pay, percent-encoded",
            Self::RedisUrl => "such as redis://127.0.0.1:6379",
            Self::SigningKeys => "one key a line, such as 32 random letters and digits",
            Self::HeaderValue => "without a newline at the end",
        };
        right.to_owned()
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
        let owner = || VariableKind::one_of(["components", "host"]);
        for (kind, value, is_right) in [
            (Number(ANY_NUMBER), "100000000", true),
            (Number(ANY_NUMBER), " 5 ", true),
            (Number(ANY_NUMBER), "abc", false),
            (Number(ANY_NUMBER), "5000 # won", false),
            (Number(ANY_NUMBER), "", false),
            (Number(ANY_NUMBER), "-1", false),
            (Number(1..=1000), "0", false),
            (Number(1..=1000), "1", true),
            (Number(1..=1000), "1000", true),
            (Number(1..=1000), "1001", false),
            (owner(), "components", true),
            (owner(), "host", true),
            (owner(), "hosst", false),
            (owner(), "Host", false),
            (owner(), " host", false),
            (owner(), "", false),
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
