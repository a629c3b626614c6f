//! One spelling of equivalent paths (RFC 3986, 6.2.2), for routes and for requests.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The path with unreserved characters decoded, every other encoded octet in upper case, and octets beyond ASCII
/// encoded. A `%` that encodes nothing is encoded itself, so that no further decoding finds a meaning in it.
pub fn canonical_path(path: &str) -> Cow<'_, str> {
    if path.is_ascii() && !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut canonical = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let encoded = encoded(after).filter(|_| first == b'%');
        let (octet, is_literal, behind) = match encoded {
            Some(octet) => (octet, is_unreserved(octet), &after[2..]),
            None => (first, first.is_ascii() && first != b'%', after),
        };
        rest = behind;
        if is_literal {
            canonical.push(char::from(octet));
        } else {
            // A text takes everything that is written to it.
            let _ = write!(canonical, "%{octet:02X}");
        }
    }
    Cow::Owned(canonical)
}

/// The path with one slash at its beginning and none at its end: routes are compared so. The root stays a slash.
pub fn without_outer_slashes(path: &str) -> &str {
    let leading = path.len() - path.trim_start_matches('/').len();
    let end = path.trim_end_matches('/').len().max(leading);
    &path[leading.saturating_sub(1)..end]
}

fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

/// The octet that the first two characters are the hexadecimal digits of.
fn encoded(text: &[u8]) -> Option<u8> {
    let digits = text.get(..2)?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let octet = digit(digits[0])? * 16 + digit(digits[1])?;
    u8::try_from(octet).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equivalent_paths_have_one_spelling() {
        for (path, expected) in [
            ("/cars/1", "/cars/1"),
            ("/%63ars/%31/", "/cars/1/"),
            ("/%7euser/a%2Db", "/~user/a-b"),
            ("/cars%2f1", "/cars%2F1"),
            ("/예약", "/%EC%98%88%EC%95%BD"),
            ("/%ec%98%88%EC%95%bd", "/%EC%98%88%EC%95%BD"),
            ("/a%20b+c", "/a%20b+c"),
            ("/%2563", "/%2563"),
            ("/%", "/%25"),
            ("/%6", "/%256"),
            ("/%zz%", "/%25zz%25"),
            ("/%%36%33", "/%2563"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(canonical_path(path), expected, "{path}");
        }
    }

    #[test]
    fn slashes_at_either_end_of_a_path_do_not_count() {
        for (path, expected) in [
            ("/livez", "/livez"),
            ("/livez/", "/livez"),
            ("//cars//1//", "/cars//1"),
            ("/", "/"),
            ("///", "/"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(without_outer_slashes(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_has_one_spelling(path: String, encoded in "(/|%[0-9a-fA-F]{2}|[%a-c.]){0,20}") {
            for path in [path, encoded] {
                let once = canonical_path(&path).into_owned();
                prop_assert!(once.is_ascii());
                prop_assert_eq!(canonical_path(&once), once.as_str());
            }
        }
    }
}
