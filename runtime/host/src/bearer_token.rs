//! Bearer tokens from flags, variables and files, as the value of `Authorization`.

use anyhow::{Context as _, ensure};
use http::HeaderValue;

/// The header value for a token. One newline at its end, which `echo` and editors write into files, is no part of it.
/// `flag` names the origin of the token in errors, which never contain the token.
///
/// # Errors
/// When the token is empty, or no header can carry it.
pub fn bearer_token(flag: &str, token: &str) -> anyhow::Result<HeaderValue> {
    let token = without_newline(token);
    ensure!(
        !token.trim().is_empty(),
        "{flag} is empty: choose a long token"
    );
    ensure!(
        is_visible(token),
        "{flag} cannot be sent in a header: it begins or ends with white space, or contains more than visible ASCII and spaces"
    );
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .with_context(|| format!("{flag} cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether a text is visible ASCII and spaces, without spaces at its ends.
pub fn is_visible(text: &str) -> bool {
    text.trim() == text && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// The token without the newline at its end.
pub fn without_newline(token: &str) -> &str {
    let token = token.strip_suffix('\n').unwrap_or(token);
    token.strip_suffix('\r').unwrap_or(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_no_header_can_carry_is_refused_without_being_shown() {
        for token in ["s3cret", "s3cret\n", "s3cret\r\n"] {
            assert_eq!(bearer_token("--t", token).unwrap(), "Bearer s3cret");
        }
        for token in ["", "\n", " ", "hunter2 ", "hunter2\n\n", "hunter2é"] {
            let refused = bearer_token("--t", token).unwrap_err().to_string();
            assert!(
                refused.starts_with("--t ") && !refused.contains("hunter2"),
                "{refused}"
            );
        }
    }
}
