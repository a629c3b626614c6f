//! Signing keys of an issuer on this machine, and the tokens that they sign.

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::json;

use crate::keys::KeySet;

/// Everything before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An Ed25519 key that signs tokens.
pub struct SigningKey {
    key: EncodingKey,
    public: Jwk,
    id: String,
}

/// The claims of a new token.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken<'a> {
    /// The issuer.
    #[serde(rename = "iss")]
    pub issuer: &'a str,
    /// The audience.
    #[serde(rename = "aud")]
    pub audience: &'a str,
    /// Who the token is for.
    #[serde(rename = "sub")]
    pub subject: &'a str,
    /// The roles.
    pub roles: &'a [&'a str],
    /// When the token was made, in seconds since 1970.
    #[serde(rename = "iat")]
    pub issued: u64,
    /// When it expires, in seconds since 1970.
    #[serde(rename = "exp")]
    pub expires: u64,
}

/// A key or a token that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
    /// The key is no Ed25519 key in PKCS #8, or does not sign.
    #[error("the key is no Ed25519 key in PKCS #8")]
    Key(#[source] jsonwebtoken::errors::Error),
}

// === impl SigningKey ===

impl SigningKey {
    /// A new key in PKCS #8, for [`Self::from_pkcs8`].
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Vec<u8>, SigningError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| SigningError::Random)?;
        Ok([&PKCS8[..], &secret[..]].concat())
    }

    /// The key in this PKCS #8 document.
    ///
    /// # Errors
    /// When the document is no Ed25519 key.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, SigningError> {
        let key = EncodingKey::from_ed_der(document);
        let mut public =
            Jwk::from_encoding_key(&key, Algorithm::EdDSA).map_err(SigningError::Key)?;
        let id = public.thumbprint(ThumbprintHash::SHA256);
        let id = id.map_err(SigningError::Key)?;
        public.common.key_id = Some(id.clone());
        Ok(Self { key, public, id })
    }

    /// The public key as a JSON Web Key Set.
    #[must_use]
    pub fn public_set(&self) -> String {
        json!({ "keys": [self.public] }).to_string()
    }

    /// The public key, for [`crate::verify`].
    #[must_use]
    pub fn keys(&self) -> KeySet {
        // A key of this type is always usable.
        KeySet::read(self.public_set().as_bytes()).unwrap_or_default()
    }

    /// Signs a token.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn sign(&self, token: &NewToken<'_>) -> Result<String, SigningError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, token, &self.key).map_err(SigningError::Key)
    }
}
