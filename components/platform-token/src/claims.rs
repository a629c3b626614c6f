//! What a platform token says: the issuer, the called context, and when the token expires.
//!
//! The claims are one fixed text with two values. Reading them back needs no parser of JSON, and no text but the one that is
//! written here is accepted.

use std::fmt;

use crate::token_error::TokenError;
use crate::{LEEWAY, LIFETIME};

/// The claims before the called context, with the issuer of every platform token.
const BEFORE_AUDIENCE: &str = r#"{"iss":"urn:socar:platform","aud":""#;

/// The claims between the called context and the time.
const BEFORE_EXPIRY: &str = r#"","exp":"#;

/// The claims of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The called context: the id of a component, which needs no escape in JSON.
    audience: &'a str,
    /// When the token expires, in seconds since 1970.
    expires: u64,
}

impl<'a> Claims<'a> {
    /// The claims of a new token.
    pub fn new(audience: &'a str, now: u64) -> Self {
        Self {
            audience,
            expires: now.saturating_add(LIFETIME),
        }
    }

    /// Reads claims. `None` if they have another form.
    pub fn read(text: &'a str) -> Option<Self> {
        let values = text.strip_prefix(BEFORE_AUDIENCE)?.strip_suffix('}')?;
        let (audience, expires) = values.split_once(BEFORE_EXPIRY)?;
        let is_number = expires.bytes().all(|byte| byte.is_ascii_digit());
        let expires = is_number.then(|| expires.parse().ok()).flatten()?;
        Some(Self { audience, expires })
    }

    /// Checks the claims of a token whose signature is right.
    ///
    /// # Errors
    /// When the token is for another context, or not for the present time.
    pub fn check(&self, audience: &str, now: u64) -> Result<(), TokenError> {
        if self.audience != audience {
            return Err(TokenError::Audience);
        }
        if now > self.expires.saturating_add(LEEWAY) {
            return Err(TokenError::Expired);
        }
        // A recorded token must not stay useful, even if its signer made it so.
        match self.expires > now.saturating_add(LIFETIME + LEEWAY) {
            true => Err(TokenError::TooLong),
            false => Ok(()),
        }
    }
}

impl fmt::Display for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { audience, expires } = self;
        write!(f, "{BEFORE_AUDIENCE}{audience}{BEFORE_EXPIRY}{expires}}}")
    }
}
