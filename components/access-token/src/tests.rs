//! Verification: the vectors that all verifiers share, and what depends on the set of keys.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::vectors::{AUDIENCE, ISSUER, TestKey, Vectors, claims, with};

fn key_set(keys: &[&TestKey]) -> KeySet {
    let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn expected() -> Expected {
    Expected {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        roles_claim: "roles".to_owned(),
    }
}

fn verified(token: &str, keys: &KeySet) -> Result<VerifiedToken, TokenError> {
    verify(token, keys, &expected())
}

#[test]
fn every_vector_is_accepted_or_refused_with_its_reason() {
    let vectors = Vectors::new(ISSUER, AUDIENCE);
    let keys = KeySet::read(vectors.keys.as_bytes()).unwrap();
    for vector in &vectors.tokens {
        let found = verified(&vector.token, &keys);
        let found = found.map(|token| assert_eq!(token.subject, "alice"));
        assert_eq!(found, vector.expected, "{}", vector.name);
    }
}

#[test]
fn a_local_key_signs_what_it_verifies() {
    let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    let token = key.sign(&NewToken {
        issuer: ISSUER,
        audience: AUDIENCE,
        subject: "alice",
        roles: &["host"],
        issued: now(),
        expires: now() + 60,
    });
    let found = verified(&token.unwrap(), &key.keys()).unwrap();
    assert_eq!(found.roles, ["host"]);
    assert!(SigningKey::from_pkcs8(b"no key").is_err());
}

#[test]
fn another_key_is_refused() {
    let (key, other) = (TestKey::ed(), TestKey::ed());
    let token = other.token(&claims());
    assert_eq!(
        verified(&token, &key_set(&[&key])),
        Err(TokenError::Signature)
    );
    // A signature of another token.
    let (own, _) = token.rsplit_once('.').unwrap();
    let another = other.token(&with("sub", json!("bob")));
    let (_, signature) = another.rsplit_once('.').unwrap();
    let mixed = format!("{own}.{signature}");
    assert_eq!(
        verified(&mixed, &key_set(&[&other])),
        Err(TokenError::Signature)
    );
    for broken in [
        format!("{own}."),
        own.to_owned(),
        format!("{token}.x"),
        token.replace('.', ""),
    ] {
        let refused = verified(&broken, &key_set(&[&other])).unwrap_err();
        assert!(
            matches!(refused, TokenError::Malformed | TokenError::Signature),
            "{broken}"
        );
    }
}

#[test]
fn a_key_is_chosen_by_its_identifier_alone() {
    let (key, other) = (TestKey::ec(), TestKey::ed());
    let set = key_set(&[&key]);
    for id in ["", "other", "../../ec", "ec\u{0}", "' OR 1=1"] {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": id});
        let token = key.sign(&header.to_string(), &claims().to_string());
        assert_eq!(verified(&token, &set), Err(TokenError::UnknownKey), "{id}");
    }
    // A key that the token brings along is not used.
    let header = json!({
        "typ": "at+jwt", "alg": "EdDSA", "jwk": other.public(), "jku": "https://evil.example/keys",
    });
    let token = other.sign(&header.to_string(), &claims().to_string());
    assert_eq!(verified(&token, &set), Err(TokenError::Algorithm));
    // Without an identifier, the only key counts.
    let header = json!({"typ": "at+jwt", "alg": "ES256"});
    let token = key.sign(&header.to_string(), &claims().to_string());
    assert!(verified(&token, &set).is_ok());
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": 7});
    let token = key.sign(&header.to_string(), &claims().to_string());
    assert_eq!(verified(&token, &set), Err(TokenError::Claim));
}

#[test]
fn roles_are_found_in_every_form_that_issuers_write() {
    let key = TestKey::ec();
    let set = key_set(&[&key]);
    let found = |claims: &Value, claim: &str| {
        let expected = Expected {
            roles_claim: claim.to_owned(),
            ..expected()
        };
        verify(&key.token(claims), &set, &expected).unwrap().roles
    };
    assert_eq!(
        found(&with("roles", json!("customer host")), "roles"),
        ["customer", "host"]
    );
    assert_eq!(found(&with("roles", json!([7, "host"])), "roles"), ["host"]);
    assert!(found(&with("roles", json!({"host": true})), "roles").is_empty());
    assert!(found(&with("roles", Value::Null), "roles").is_empty());
    let nested = with("realm_access", json!({"roles": ["operator"]}));
    assert_eq!(found(&nested, "realm_access.roles"), ["operator"]);
    let named = with("https://socar.dev/roles", json!(["host"]));
    assert_eq!(found(&named, "https://socar.dev/roles"), ["host"]);
}

#[test]
fn keys_that_cannot_verify_are_left_out() {
    let ec = TestKey::ec();
    let weak = json!({"kty": "RSA", "kid": "weak", "n": BASE64_URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"});
    let symmetric = json!({"kty": "oct", "kid": "secret", "k": "c2VjcmV0"});
    let mut encryption = ec.public();
    encryption["use"] = json!("enc");
    let curve = json!({"kty": "EC", "kid": "k1", "crv": "secp256k1", "x": "AA", "y": "AA"});
    let unusable = [
        weak,
        symmetric,
        encryption,
        curve,
        json!({"kty": "new"}),
        json!(7),
    ];
    for key in &unusable {
        let set = json!({"keys": [key]}).to_string();
        assert_eq!(
            KeySet::read(set.as_bytes()).err(),
            Some(KeySetError::Empty),
            "{key}"
        );
    }
    // An issuer that has withdrawn all its keys is not one whose answer is unreadable.
    let none = KeySet::read(br#"{"keys":[]}"#).err();
    assert_eq!(none, Some(KeySetError::Empty));
    let mut keys = unusable.to_vec();
    keys.push(ec.public());
    let set = KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    assert!(verified(&ec.token(&claims()), &set).is_ok());
    for text in ["", "[]", "{}", r#"{"keys":7}"#] {
        assert_eq!(
            KeySet::read(text.as_bytes()).err(),
            Some(KeySetError::Malformed),
            "{text}"
        );
    }
}

/// The header and the signature may be anything.
#[test]
fn any_text_is_refused_without_a_panic() {
    let key = TestKey::ec();
    let set = key_set(&[&key]);
    let token = key.token(&claims());
    proptest::proptest!(|(text in ".{0,200}", at in 0..token.len(), byte in "[A-Za-z0-9_.-]")| {
        assert!(verified(&text, &set).is_err());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &byte);
        // The last bits of a signature in base64url carry nothing, and the library does not accept others there.
        assert!(changed == token || verified(&changed, &set).is_err());
    });
}
