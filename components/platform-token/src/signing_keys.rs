//! Signing keys, and the tokens that they make and verify.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::MAX_LENGTH;
use crate::claims::Claims;
use crate::token_error::TokenError;

/// The header of every token.
const HEADER: &str = r#"{"alg":"HS256","typ":"platform+jwt"}"#;

/// The keys that parts of the platform share. The first one signs, and each one verifies, so that keys can be rotated. The
/// `Debug` output contains their number only.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeys(Vec<String>);

impl SigningKeys {
    /// Reads the value of a variable: one key a line. `None` if there is no key.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let lines = text.split(['\r', '\n']).filter(|line| !line.is_empty());
        let keys: Vec<_> = lines.map(str::to_owned).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// A token for a call of the context `audience`; `now` is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, audience: &str, now: u64) -> String {
        let claims = Claims::new(audience, now).to_string();
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
        let message = format!("{}.{claims}", header());
        let first = self.0.first().map_or("", String::as_str);
        let signature = code(first, &message).map(|code| code.finalize().into_bytes());
        let signature = signature.map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
        format!("{message}.{}", signature.unwrap_or_default())
    }

    /// Verifies a token that the context `audience` received.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn verify(&self, token: &str, audience: &str, now: u64) -> Result<(), TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (found, claims) = message.split_once('.').ok_or(TokenError::Malformed)?;
        if found != header() {
            return Err(TokenError::Malformed);
        }
        let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part);
        let signature = decoded(signature).map_err(|_| TokenError::Malformed)?;
        // Every key is tried, so that the time does not tell which one fits.
        let is_signed = self.0.iter().fold(false, |found, key| {
            let code = code(key, message);
            found | code.is_some_and(|code| code.verify_slice(&signature).is_ok())
        });
        if !is_signed {
            return Err(TokenError::Signature);
        }
        let claims = decoded(claims).map_err(|_| TokenError::Malformed)?;
        let claims = std::str::from_utf8(&claims).ok().and_then(Claims::read);
        let claims = claims.ok_or(TokenError::Malformed)?;
        claims.check(audience, now)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

/// The header as it is written in tokens.
fn header() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(HEADER)
}

/// The code of a message. HMAC accepts keys of every length.
fn code(key: &str, message: &str) -> Option<Hmac<Sha256>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    code.update(message.as_bytes());
    Some(code)
}
