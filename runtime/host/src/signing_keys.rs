//! The signing keys of platform tokens, as flags hold them.

use anyhow::{Context as _, ensure};
use platform_token::SigningKeys;

use crate::bearer_token::is_visible;

/// The keys in a text, one a line. `flag` names the origin of the text in errors, which never contain a key. A variable of
/// the kind `signing-keys` accepts the same texts, so that both sides have the same keys.
///
/// # Errors
/// When there is no key, or a key cannot be the one of the other side.
pub fn signing_keys(flag: &str, text: &str) -> anyhow::Result<SigningKeys> {
    ensure!(
        text.lines().all(is_visible),
        "{flag} holds a key that begins or ends with white space, or contains more than visible ASCII and spaces: the other side refuses it"
    );
    SigningKeys::read(text).with_context(|| format!("{flag} is empty: choose a long secret"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_that_the_variable_may_hold() {
        for text in ["s3cret", "s3cret\n", "new key\r\nold key\r\n"] {
            assert!(signing_keys("--secret", text).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "\n",
            "hunter2 ",
            " hunter2",
            "hunter2\u{e9}",
            "\u{feff}hunter2",
        ] {
            let refused = signing_keys("--secret", text).unwrap_err().to_string();
            assert!(
                refused.starts_with("--secret ") && !refused.contains("hunter2"),
                "{refused}"
            );
        }
    }
}
