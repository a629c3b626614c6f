//! The segments of a path, in one spelling.

use std::borrow::Cow;

/// The segments of a path without empty ones at its ends. Unreserved characters are decoded, as equivalent URLs name one
/// resource (RFC 3986, 6.2.2); every other octet stays encoded, a slash among them.
pub(crate) fn segments(path: &str) -> Vec<Cow<'_, str>> {
    path.trim_matches('/').split('/').map(decoded).collect()
}

fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut text = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, encoded)) = rest.split_once('%') {
        text.push_str(before);
        match unreserved(encoded) {
            Some(character) => {
                text.push(character);
                rest = &encoded[2..];
            }
            None => {
                text.push('%');
                rest = encoded;
            }
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The unreserved character that two hexadecimal digits encode.
fn unreserved(encoded: &str) -> Option<char> {
    let digits = encoded
        .get(..2)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).then_some(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equivalent_paths_have_the_same_segments() {
        for path in ["/cars/1", "/%63ars/%31/", "/c%61rs/1", "/%63%61%72%73/1"] {
            assert_eq!(segments(path), ["cars", "1"], "{path}");
        }
    }

    #[test]
    fn reserved_and_malformed_octets_stay_as_they_are() {
        for path in [
            "/cars%2F1",
            "/cars%2f1",
            "/%",
            "/%6",
            "/%zz",
            "/%+1",
            "/%ea%b0%80",
            "/%25%36%33",
        ] {
            let expected = path.trim_start_matches('/').replace("%36%33", "63");
            assert_eq!(segments(path), [expected], "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_has_segments(path: String) {
            prop_assert!(!segments(&path).is_empty());
        }
    }
}
