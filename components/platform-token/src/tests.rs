//! Tokens that are accepted, and tokens that are refused with their reason.

use access_token::vectors::{AUDIENCE, ISSUER, Vectors};
use access_token::{Expected, KeySet};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_764_400_000;
const KEY: &str = "correct horse battery staple";

fn keys(text: &str) -> SigningKeys {
    SigningKeys::read(text).unwrap()
}

fn of(text: &str, token: &str, audience: &str, now: u64) -> Result<(), TokenError> {
    keys(text).verify(token, audience, now)
}

/// A token that another library signs, with these parts.
fn signed(header: &Value, claims: &Value, key: &str) -> String {
    let parts = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = parts.join(".");
    let key = EncodingKey::from_secret(key.as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.unwrap())
}

fn header() -> Value {
    json!({"alg": "HS256", "typ": "platform+jwt"})
}

fn claims() -> Value {
    json!({"iss": "urn:socar:platform", "aud": "car", "exp": NOW + 60})
}

#[test]
fn a_token_is_for_one_context_and_one_minute() {
    let token = keys(KEY).sign("car", NOW);
    assert_eq!(of(KEY, &token, "car", NOW), Ok(()));
    assert_eq!(of(KEY, &token, "car", NOW + LIFETIME + LEEWAY), Ok(()));
    assert_eq!(of(KEY, &token, "car", NOW - LEEWAY), Ok(()));
    for (audience, now, reason) in [
        ("payment", NOW, TokenError::Audience),
        ("ca", NOW, TokenError::Audience),
        ("", NOW, TokenError::Audience),
        ("car", NOW + LIFETIME + LEEWAY + 1, TokenError::Expired),
        ("car", NOW - LEEWAY - 1, TokenError::TooLong),
        ("car", 0, TokenError::TooLong),
        ("car", u64::MAX, TokenError::Expired),
    ] {
        assert_eq!(
            of(KEY, &token, audience, now),
            Err(reason),
            "{audience} {now}"
        );
    }
}

#[test]
fn keys_are_rotated_by_lines() {
    let (old, new) = ("the old key", "the new key");
    let both = format!("{new}\r\n{old}\n");
    let (of_old, of_new) = (keys(old).sign("car", NOW), keys(new).sign("car", NOW));
    assert_eq!(keys(&both).sign("car", NOW), of_new);
    for token in [&of_old, &of_new] {
        assert_eq!(of(&both, token, "car", NOW), Ok(()));
    }
    assert_eq!(of(new, &of_old, "car", NOW), Err(TokenError::Signature));
    assert_eq!(format!("{:?}", keys(&both)), "2 keys");
    for none in ["", "\n", "\r\n\n"] {
        assert_eq!(SigningKeys::read(none), None, "{none:?}");
    }
}

/// The text that components in other languages have to make and accept; `components/insight/tests` has it, too.
#[test]
fn a_token_is_a_json_web_token() {
    let token = keys(KEY).sign("car", NOW);
    assert_eq!(token, signed(&header(), &claims(), KEY));
    assert_eq!(
        token,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6InBsYXRmb3JtK2p3dCJ9\
         .eyJpc3MiOiJ1cm46c29jYXI6cGxhdGZvcm0iLCJhdWQiOiJjYXIiLCJleHAiOjE3NjQ0MDAwNjB9\
         .weIBwDP5TMgKMDX7tygSaa-0BOqIm9Zu3BrXDI-q6OU"
    );
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["car"]);
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(KEY.as_bytes()).unwrap();
    let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
    assert_eq!(decoded.claims, claims());
    assert_eq!(decoded.header.typ.as_deref(), Some("platform+jwt"));
}

#[test]
fn other_texts_are_refused() {
    let with = |name: &str, value: Value| {
        let mut changed = claims();
        changed[name] = value;
        signed(&header(), &changed, KEY)
    };
    let valid = signed(&header(), &claims(), KEY);
    let (message, _) = valid.rsplit_once('.').unwrap();
    let header_of = |alg: &str, typ: &str| signed(&json!({"alg": alg, "typ": typ}), &claims(), KEY);
    let twice = claims()
        .to_string()
        .replacen('{', r#"{"aud":"payment","#, 1);
    let twice = [header().to_string(), twice].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let twice = twice.join(".");
    let key = EncodingKey::from_secret(KEY.as_bytes()).unwrap();
    let code = jsonwebtoken::crypto::sign(twice.as_bytes(), &key, Algorithm::HS256).unwrap();
    for (token, reason) in [
        (KEY.to_owned(), TokenError::Malformed),
        (String::new(), TokenError::Malformed),
        ("..".to_owned(), TokenError::Malformed),
        (format!("{message}."), TokenError::Signature),
        (format!("{valid}x"), TokenError::Signature),
        (format!("{valid}."), TokenError::Signature),
        (format!("x.{valid}"), TokenError::Malformed),
        ("x".repeat(MAX_LENGTH + 1), TokenError::Malformed),
        (header_of("none", "platform+jwt"), TokenError::Malformed),
        (header_of("HS512", "platform+jwt"), TokenError::Malformed),
        (header_of("HS256", "at+jwt"), TokenError::Malformed),
        (header_of("HS256", "JWT"), TokenError::Malformed),
        (
            signed(&header(), &claims(), "a guess"),
            TokenError::Signature,
        ),
        (with("iss", json!("urn:socar:local")), TokenError::Malformed),
        (
            with("aud", json!(["car", "payment"])),
            TokenError::Malformed,
        ),
        (with("exp", json!("tomorrow")), TokenError::Malformed),
        (with("exp", Value::Null), TokenError::Malformed),
        (with("exp", json!(NOW + 3600)), TokenError::TooLong),
        (with("exp", json!(u64::MAX)), TokenError::TooLong),
        (format!("{twice}.{code}"), TokenError::Malformed),
    ] {
        assert_eq!(of(KEY, &token, "car", NOW), Err(reason), "{token}");
    }
}

/// Neither kind of token is ever the other: not even if a program signs access tokens with the key of the platform.
#[test]
fn no_access_token_is_a_platform_token_and_no_platform_token_an_access_token() {
    let vectors = Vectors::new(ISSUER, AUDIENCE);
    for vector in &vectors.tokens {
        let refused = keys(KEY).verify(&vector.token, AUDIENCE, access_token::now());
        assert!(refused.is_err(), "{}", vector.name);
    }
    let access_keys = KeySet::read(vectors.keys.as_bytes()).unwrap();
    let expected = Expected {
        issuer: "urn:socar:platform".to_owned(),
        audience: "car".to_owned(),
        roles_claim: "roles".to_owned(),
    };
    let now = access_token::now();
    // A public key of the issuer as the secret, too: clients know it.
    for key in [KEY, &vectors.keys] {
        let key = key.replace('\n', "");
        let token = keys(&key).sign("car", now);
        let refused = access_token::verify(&token, &access_keys, &expected);
        assert_eq!(refused, Err(access_token::TokenError::Algorithm));
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".to_owned());
        let claims = json!({
            "iss": "urn:socar:platform", "aud": "car", "sub": "mallory", "exp": now + 60, "roles": ["operator"],
        });
        let signer = EncodingKey::from_secret(key.as_bytes()).unwrap();
        let token = jsonwebtoken::encode(&header, &claims, &signer).unwrap();
        let refused = access_token::verify(&token, &access_keys, &expected);
        assert_eq!(refused, Err(access_token::TokenError::Algorithm));
        assert_eq!(of(&key, &token, "car", now), Err(TokenError::Malformed));
    }
}

#[test]
fn any_text_is_refused_without_a_panic() {
    let token = keys(KEY).sign("car", NOW);
    proptest::proptest!(|(text in ".{0,200}", at in 0..token.len(), byte in "[A-Za-z0-9_.-]")| {
        assert!(of(KEY, &text, "car", NOW).is_err());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &byte);
        assert!(changed == token || of(KEY, &changed, "car", NOW).is_err());
    });
}
