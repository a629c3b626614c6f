//! The tokens that were verified a moment ago, by their digest: a signature costs more than everything else that the host
//! does for a call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access_token::{KeySet, LEEWAY, now};
use parking_lot::Mutex;

use crate::principal::CallPrincipal;

/// The most tokens that are remembered. At the limit all are forgotten: the cost is one signature for each.
const MAX_TOKENS: usize = 4096;

/// The digest of a token: the token itself is not kept.
type TokenDigest = [u8; 32];

/// Verified tokens.
#[derive(Default)]
pub struct VerifiedTokens(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    tokens: HashMap<TokenDigest, AcceptedToken>,
    /// The keys that verified them. Other keys may not contain a key that was withdrawn.
    keys: Option<Arc<KeySet>>,
}

/// What a token that was verified says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedToken {
    /// The user.
    pub principal: CallPrincipal,
    /// When the token expires, in seconds since 1970.
    pub expires: u64,
}

// === impl VerifiedTokens ===

impl VerifiedTokens {
    /// The token with this digest, if it was verified with these keys and has not expired.
    pub fn find(&self, digest: &TokenDigest, keys: &Arc<KeySet>) -> Option<AcceptedToken> {
        let remembered = self.0.lock();
        if !remembered.is_of(keys) {
            return None;
        }
        let token = remembered.tokens.get(digest)?;
        token.remaining().is_some().then(|| token.clone())
    }

    /// Remembers a token that these keys verified.
    pub fn remember(&self, digest: TokenDigest, token: AcceptedToken, keys: &Arc<KeySet>) {
        let mut remembered = self.0.lock();
        if !remembered.is_of(keys) {
            remembered.tokens.clear();
            remembered.keys = Some(keys.clone());
        }
        if remembered.tokens.len() >= MAX_TOKENS {
            remembered.tokens.clear();
        }
        remembered.tokens.insert(digest, token);
    }
}

// === impl AcceptedToken ===

impl AcceptedToken {
    /// For how long the token is still accepted, with the leeway of the verification. `None` if it has expired.
    pub fn remaining(&self) -> Option<Duration> {
        let until = self.expires.saturating_add(LEEWAY);
        until.checked_sub(now()).map(Duration::from_secs)
    }
}

// === impl Remembered ===

impl Remembered {
    fn is_of(&self, keys: &Arc<KeySet>) -> bool {
        let own = self.keys.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(expires: u64) -> AcceptedToken {
        AcceptedToken {
            principal: CallPrincipal::platform(),
            expires,
        }
    }

    #[test]
    fn a_token_is_forgotten_when_it_expires_or_the_keys_change() {
        let keys = Arc::new(KeySet::default());
        let tokens = VerifiedTokens::default();
        let valid = token(now() + 5);
        tokens.remember([1; 32], valid.clone(), &keys);
        tokens.remember([2; 32], token(now() - LEEWAY - 2), &keys);
        assert_eq!(tokens.find(&[1; 32], &keys), Some(valid.clone()));
        assert_eq!(tokens.find(&[2; 32], &keys), None);
        let others = Arc::new(KeySet::default());
        assert_eq!(tokens.find(&[1; 32], &others), None);
        tokens.remember([3; 32], valid, &others);
        assert_eq!(tokens.find(&[1; 32], &keys), None);
    }

    #[test]
    fn the_number_of_remembered_tokens_is_bounded() {
        let keys = Arc::new(KeySet::default());
        let tokens = VerifiedTokens::default();
        for number in 0..2 * MAX_TOKENS as u64 + 7 {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            tokens.remember(digest, token(now() + 5), &keys);
        }
        assert!(tokens.0.lock().tokens.len() <= MAX_TOKENS);
    }
}
