//! What an error shows of a value that may contain a secret: the name of the key, and never the secret.

/// Words in the name of a key whose value is a secret.
const SECRET_WORDS: [&str; 9] = [
    "secret",
    "secrets",
    "password",
    "passwd",
    "passphrase",
    "token",
    "tokens",
    "credential",
    "credentials",
];

/// Schemes of the addresses that a configuration holds.
const SCHEMES: [&str; 4] = ["http", "https", "redis", "rediss"];

/// The text without the credentials of the URLs in it: a URL may hold a user and a password before its host. The text may
/// be malformed, and a password may contain any letter, so everything from the scheme to the last `@` of a word, or of a
/// text in quotes, counts as credentials.
pub fn without_credentials(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    // The end of the last scheme outside of quotes, until an `@` follows: a password may contain white space.
    let mut scheme_end = None;
    let mut rest = text;
    while let Some(part) = Part::first_of(rest) {
        rest = &rest[part.text().len()..];
        match part {
            Part::Other(other) => shown.push_str(other),
            Part::Quoted(quoted) => {
                let inner = &quoted[1..quoted.len() - 1];
                let inner = Address::find(inner).map_or_else(|| inner.to_owned(), Address::shown);
                shown.push_str(&format!("\"{inner}\""));
            }
            Part::Word(word) => match (Address::find(word), scheme_end) {
                (
                    Some(Address {
                        scheme: "", host, ..
                    }),
                    Some(end),
                ) => {
                    shown.truncate(end);
                    shown.push_str(&format!("…@{host}"));
                    scheme_end = None;
                }
                (Some(address), _) => {
                    shown.push_str(&address.shown());
                    scheme_end = None;
                }
                (None, _) => {
                    let (prefix, scheme) = prefix_and_scheme(word).unwrap_or_default();
                    if !scheme.is_empty() {
                        scheme_end = Some(shown.len() + prefix.len() + scheme.len());
                    }
                    shown.push_str(word);
                }
            },
        }
    }
    shown
}

/// Whether a key of this name has a secret as its value. `key` may be dotted.
pub(super) fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    let name = last.split('[').next().unwrap_or_default();
    let words: Vec<String> = name.split(['_', '-']).map(str::to_lowercase).collect();
    let is_key = words.last().is_some_and(|last| last == "key");
    is_key
        || words
            .iter()
            .any(|word| SECRET_WORDS.contains(&word.as_str()))
}

/// A part of a text.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// A text in double quotes, with them; a quote within it is escaped.
    Quoted(&'a str),
    /// Letters without white space.
    Word(&'a str),
    /// White space, or opening brackets.
    Other(&'a str),
}

/// A text with an `@`, which may be an address with credentials.
struct Address<'a> {
    /// What is before the address, such as the name of a variable.
    prefix: &'a str,
    /// With its colon and slashes; empty if there is none.
    scheme: &'a str,
    /// What follows the last `@`.
    host: &'a str,
}

// === impl Part ===

impl<'a> Part<'a> {
    fn first_of(text: &'a str) -> Option<Self> {
        let first = text.chars().next()?;
        if is_between(first) {
            let end = text.find(|letter| !is_between(letter));
            return Some(Self::Other(&text[..end.unwrap_or(text.len())]));
        }
        if let Some(inner) = text.strip_prefix('"')
            && let Some(length) = end_of_quotes(inner)
        {
            return Some(Self::Quoted(&text[..length + 2]));
        }
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        Some(Self::Word(&text[..end]))
    }

    fn text(self) -> &'a str {
        match self {
            Self::Quoted(text) | Self::Word(text) | Self::Other(text) => text,
        }
    }
}

// === impl Address ===

impl<'a> Address<'a> {
    /// The address in a word; `None` if the `@` in it has another meaning.
    fn find(word: &'a str) -> Option<Self> {
        let (before, host) = word.rsplit_once('@')?;
        if is_file(word) || is_interface(word) {
            return None;
        }
        let quote = &word[..word.len() - word.trim_start_matches('`').len()];
        let (prefix, scheme) = prefix_and_scheme(before).unwrap_or((quote, ""));
        Some(Self {
            prefix,
            scheme,
            host,
        })
    }

    fn shown(self) -> String {
        let Self {
            prefix,
            scheme,
            host,
        } = self;
        match scheme.split_once(':') {
            Some((scheme, _)) => format!("{prefix}{scheme}://…@{host}"),
            None => format!("{prefix}…@{host}"),
        }
    }
}

/// What is before the first scheme of a text, and the scheme. Only a quote or the name of a variable may be before it:
/// anything else may belong to a password.
fn prefix_and_scheme(text: &str) -> Option<(&str, &str)> {
    let colon = text.find(":/")?;
    let is_of_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+.-".contains(letter);
    let name_start = text[..colon].trim_end_matches(is_of_scheme).len();
    let (prefix, name) = (&text[..name_start], &text[name_start..colon]);
    let is_known = SCHEMES.iter().any(|it| it.eq_ignore_ascii_case(name));
    let is_prefix = match prefix.strip_suffix('=') {
        Some(variable) => is_known && variable.bytes().all(is_of_name),
        None => prefix.chars().all(|letter| "`'\"".contains(letter)),
    };
    let slashes = match text[colon..].starts_with("://") {
        true => 3,
        false if is_known => 2,
        false => return None,
    };
    let is_scheme = name.starts_with(|first: char| first.is_ascii_alphabetic());
    (is_prefix && is_scheme).then(|| (prefix, &text[name_start..colon + slashes]))
}

/// The length of a text up to its first quote that is not escaped.
fn end_of_quotes(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (index, letter) in text.char_indices() {
        match letter {
            '"' if !is_escaped => return Some(index),
            _ => is_escaped = letter == '\\' && !is_escaped,
        }
    }
    None
}

fn is_between(letter: char) -> bool {
    letter.is_whitespace() || "([{".contains(letter)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Whether a word is the versioned name of an interface, such as `spin:key-value/key-value@3.0.0`.
fn is_interface(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .bytes()
                .all(|byte| is_of_name(byte) && !byte.is_ascii_uppercase())
    };
    let is_version = |version: &str| {
        let mut parts = version.split('.');
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        version.split('.').count() == 3 && parts.all(is_number)
    };
    let parts = word.split_once('@').and_then(|(name, version)| {
        let (namespace, path) = name.split_once(':')?;
        let (package, interface) = path.split_once('/')?;
        Some((namespace, package, interface, version))
    });
    parts.is_some_and(|(namespace, package, interface, version)| {
        [namespace, package, interface].into_iter().all(is_name) && is_version(version)
    })
}

/// Whether a word names a file, such as `@file`, or is the form of such an argument.
fn is_file(word: &str) -> bool {
    let word = word.trim_start_matches(['`', '"']);
    let name = word.strip_prefix("name=").unwrap_or(word);
    name.strip_prefix('@')
        .is_some_and(|file| !file.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_no_credentials() {
        for (given, shown) in [
            ("redis://u:hunter2@host:1/2", "redis://…@host:1/2"),
            ("redis:/u:hunter2@host", "redis://…@host"),
            ("hunter2@nowhere", "…@nowhere"),
            ("http://u:hunter2@host/path@x", "http://…@x"),
            ("u:hunter2:/x@host", "…@host"),
            ("redis://host:1", "redis://host:1"),
            ("redis://u:aGk=@10.0.0.1", "redis://…@10.0.0.1"),
            ("redis://u:hunter2@1.2.3", "redis://…@1.2.3"),
            ("name=@file, @file.json", "name=@file, @file.json"),
            ("`@file.json`", "`@file.json`"),
            ("hunter2=@nowhere", "…@nowhere"),
            ("hunter2@1.2.3", "…@1.2.3"),
            ("u:hunter2@1.2.3", "…@1.2.3"),
            ("`hunter2@host` is", "`…@host` is"),
            ("hunter2:/x@host", "…@host"),
            ("address=redis://u:hunter2@h", "address=redis://…@h"),
            ("(redis://u:hunter2@h)", "(redis://…@h)"),
            (
                "spin:key-value/key-value@3.0.0, and",
                "spin:key-value/key-value@3.0.0, and",
            ),
            (
                "[\"http://u:hunter2@a\", \"http://b\"]",
                "[\"http://…@a\", \"http://b\"]",
            ),
        ] {
            assert_eq!(without_credentials(given), shown, "{given}");
        }
    }

    #[test]
    fn no_part_of_a_password_is_shown() {
        for letter in ",;()[]{}<>'\"`\\@:/?#=&%|^~$!*+-. \t{{ }}가".chars() {
            let password = format!("hun{letter}ter2");
            for url in [
                format!("redis://:{password}@host:1"),
                format!("redis://user:{password}@host:1/2"),
                format!("http://{password}@host/pay"),
                format!("redis:/user:{password}@host"),
            ] {
                for text in [
                    url.clone(),
                    format!("--redis-url {url}: refused"),
                    format!("{url:?}"),
                    format!("[\"http://first\", {url:?}, \"http://last\"]"),
                    format!("address={url}"),
                    format!("`{url}` is no reference"),
                ] {
                    let shown = without_credentials(&text);
                    let is_shown = ["hun", "ter2"].iter().any(|part| shown.contains(part));
                    assert!(!is_shown, "{text}: {shown}");
                    assert!(shown.contains("…@host"), "{text}: {shown}");
                }
            }
            // Without a scheme, white space outside of quotes ends the address.
            for address in [format!("user:{password}@host"), format!("{password}@host")] {
                for text in [address.clone(), format!("{address:?}")] {
                    let shown = without_credentials(&text);
                    let is_word = !letter.is_whitespace() || text.starts_with('"');
                    assert!(!is_word || !shown.contains("hun"), "{text}: {shown}");
                    assert!(!shown.contains("ter2"), "{text}: {shown}");
                }
            }
        }
    }

    #[test]
    fn a_key_with_a_telling_name_is_a_secret() {
        for name in [
            "relay_secret",
            "x.PASSWORD",
            "api-key",
            "key",
            "a.tokens[2]",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["key_value_stores", "url", "keys", "monkey"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
