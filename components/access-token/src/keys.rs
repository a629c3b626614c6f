//! The public keys of an issuer, from its JSON Web Key Set (RFC 7517).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::token_error::TokenError;

/// The keys of one set that are read; an issuer has two or three.
const MAX_KEYS: usize = 64;

/// The shortest RSA modulus, in bytes (RFC 7518, 3.3).
const MIN_RSA_MODULUS: usize = 256;

/// The public keys of one issuer.
#[derive(Clone, Default)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Clone)]
struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why a set of keys is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The text is no JSON Web Key Set.
    #[error("the keys are no JSON Web Key Set")]
    Malformed,
    /// No key has an allowed algorithm. An issuer that withdraws all its keys publishes such a set: no token is accepted.
    #[error("no key is for RS256 (2048 bits or more), ES256 or EdDSA (Ed25519)")]
    Empty,
}

/// The set as it is written. A key that is unusable here may be meant for another purpose, and is left out.
#[derive(Deserialize)]
struct WrittenSet {
    keys: Vec<Value>,
}

// === impl KeySet ===

impl KeySet {
    /// Reads a JSON Web Key Set.
    ///
    /// # Errors
    /// When it is malformed, or no key in it can verify a token.
    pub fn read(json: &[u8]) -> Result<Self, KeySetError> {
        let set: WrittenSet = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        let written = set.keys.into_iter().take(MAX_KEYS);
        let keys: Vec<_> = written.filter_map(PublicKey::read).collect();
        match keys.is_empty() {
            true => Err(KeySetError::Empty),
            false => Ok(Self(keys)),
        }
    }

    /// The key for a token with this algorithm and key identifier. A token without an identifier is for the only key of
    /// its algorithm.
    pub(crate) fn find(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<&DecodingKey, TokenError> {
        let of_id = |key: &&PublicKey| id.is_none() || key.id.as_deref() == id;
        let found: Vec<_> = self.0.iter().filter(of_id).collect();
        if found.is_empty() {
            return Err(TokenError::UnknownKey);
        }
        let mut suited = found.iter().filter(|key| key.algorithm == algorithm);
        match (suited.next(), suited.next()) {
            (Some(key), None) => Ok(&key.key),
            (None, _) => Err(TokenError::Algorithm),
            (Some(_), Some(_)) => Err(TokenError::UnknownKey),
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| (&key.id, key.algorithm)))
            .finish()
    }
}

// === impl PublicKey ===

impl PublicKey {
    /// The key, if it is for signatures by one of the allowed algorithms. Its kind decides the algorithm, so that no
    /// token can choose one. A symmetric key is never read.
    fn read(written: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(written).ok()?;
        let algorithm = algorithm(&jwk)?;
        let declared = jwk.common.key_algorithm;
        let is_for_signatures = jwk.common.public_key_use.as_ref();
        let fits = is_for_signatures.is_none_or(|it| *it == PublicKeyUse::Signature)
            && declared.is_none_or(|it| it == algorithm.into());
        fits.then_some(())?;
        Some(Self {
            key: DecodingKey::from_jwk(&jwk).ok()?,
            id: jwk.common.key_id,
            algorithm,
        })
    }
}

fn algorithm(key: &Jwk) -> Option<Algorithm> {
    let length = |part: &str| {
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
        Some(decoded.len())
    };
    match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            (length(&rsa.n)? >= MIN_RSA_MODULUS).then_some(Algorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(point) => {
            let is_whole = length(&point.x)? == 32 && length(&point.y)? == 32;
            (point.curve == EllipticCurve::P256 && is_whole).then_some(Algorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(point) => {
            let is_whole = length(&point.x)? == 32;
            (point.curve == EllipticCurve::Ed25519 && is_whole).then_some(Algorithm::EdDSA)
        }
        _ => None,
    }
}
