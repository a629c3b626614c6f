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

/// Characters that end a URL within a text.
const SEPARATORS: [char; 12] = ['"', '\'', '`', ',', ';', '(', ')', '[', ']', '{', '}', '\\'];

/// The text without the credentials of the URLs in it: a URL may hold a user and a password before its host. The text may
/// be malformed, so everything before an `@` but the scheme counts as credentials.
pub fn without_credentials(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let pieces = text.split_inclusive(is_separator);
    pieces.map(without_userinfo).collect()
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

fn without_userinfo(url: &str) -> String {
    let Some((before, host)) = url.rsplit_once('@') else {
        return url.to_owned();
    };
    if (is_version(host) && !before.contains("://")) || is_file(before) {
        return url.to_owned();
    }
    let scheme = before.split_once(":/").map(|(scheme, _)| scheme);
    let is_scheme = |text: &&str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
    };
    match scheme.filter(is_scheme) {
        Some(scheme) => format!("{scheme}://…@{host}"),
        None => format!("…@{host}"),
    }
}

fn is_separator(letter: char) -> bool {
    letter.is_whitespace() || SEPARATORS.contains(&letter)
}

/// Whether the text behind an `@` is the version of an interface, such as `spin:key-value/key-value@3.0.0`.
fn is_version(text: &str) -> bool {
    let text = text.trim_end_matches(is_separator);
    let parts: Vec<&str> = text.split('.').collect();
    let is_number =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(is_number)
}

/// Whether the text before an `@` belongs to the name of a file, such as `name=@file`.
fn is_file(text: &str) -> bool {
    text.is_empty() || (text.ends_with('=') && !text.contains(':'))
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
