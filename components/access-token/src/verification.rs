//! The verification of one token.

use std::collections::HashSet;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::keys::KeySet;
use crate::object;
use crate::token_error::TokenError;

/// The longest token, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// How far two clocks may differ, in seconds.
pub const LEEWAY: u64 = 60;

/// The longest subject, in bytes (OpenID Connect Core, 2).
const MAX_SUBJECT: usize = 255;

/// The types of an access token (RFC 9068, 2.1).
const TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];

/// Header parameters that would change what the token is.
const EXTENSIONS: [&str; 4] = ["crit", "cty", "enc", "zip"];

/// What every token must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The issuer (`iss`).
    pub issuer: String,
    /// The audience, one of those in `aud`.
    pub audience: String,
    /// The claim with the roles: a name, or a path of names with dots, such as `realm_access.roles`.
    pub roles_claim: String,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Who the caller is: 1 to 255 visible ASCII characters.
    pub subject: String,
    /// The roles of the caller, as the issuer names them.
    pub roles: Vec<String>,
    /// When the token expires, in seconds since 1970.
    pub expires: u64,
}

/// Verifies a token with the keys of its issuer.
///
/// # Errors
/// Why the token is refused. [`TokenError::UnknownKey`] may have its cause in keys that are out of date.
pub fn verify(
    token: &str,
    keys: &KeySet,
    expected: &Expected,
) -> Result<VerifiedToken, TokenError> {
    if token.len() > MAX_LENGTH {
        return Err(TokenError::TooLong);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _] = parts[..] else {
        return Err(TokenError::Malformed);
    };
    let header = object::read(header)?;
    let algorithm = check_header(&header)?;
    let key = keys.find(algorithm, text(&header, "kid")?)?;
    let claims = object::read(claims)?;
    let verified = jsonwebtoken::decode::<IgnoredAny>(token, key, &validation(algorithm, expected));
    verified.map_err(|error| refusal(error.kind()))?;
    // The library accepts a list of issuers.
    if text(&claims, "iss")? != Some(&expected.issuer) {
        return Err(TokenError::Issuer);
    }
    let subject = text(&claims, "sub")?.ok_or(TokenError::Claim)?;
    let is_subject = (1..=MAX_SUBJECT).contains(&subject.len())
        && subject.bytes().all(|byte| byte.is_ascii_graphic());
    Ok(VerifiedToken {
        subject: is_subject
            .then(|| subject.to_owned())
            .ok_or(TokenError::Claim)?,
        roles: roles(&claims, &expected.roles_claim),
        expires: claims
            .get("exp")
            .and_then(seconds)
            .ok_or(TokenError::Claim)?,
    })
}

/// The present time, in seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// The algorithm of the token, if the header has the form of an access token.
fn check_header(header: &Map<String, Value>) -> Result<Algorithm, TokenError> {
    let algorithm = match text(header, "alg")? {
        Some("RS256") => Algorithm::RS256,
        Some("ES256") => Algorithm::ES256,
        Some("EdDSA") => Algorithm::EdDSA,
        _ => return Err(TokenError::Algorithm),
    };
    if EXTENSIONS.iter().any(|name| header.contains_key(*name)) {
        return Err(TokenError::Extension);
    }
    let found = text(header, "typ")?.unwrap_or_default();
    match TYPES.iter().any(|it| it.eq_ignore_ascii_case(found)) {
        true => Ok(algorithm),
        false => Err(TokenError::Type),
    }
}

/// A text, if it is present.
fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, TokenError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Claim),
    }
}

fn validation(algorithm: Algorithm, expected: &Expected) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.required_spec_claims =
        HashSet::from(["exp", "iss", "aud", "sub"].map(str::to_owned));
    validation.set_issuer(&[&expected.issuer]);
    validation.set_audience(&[&expected.audience]);
    validation
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::MissingAlgorithm => TokenError::Algorithm,
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::InvalidSubject => TokenError::Claim,
        // A signature of another length or an unusable key ends here too.
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Json(_) => {
            TokenError::Malformed
        }
        _ => TokenError::Signature,
    }
}

/// The time of a claim, as the library reads it.
fn seconds(value: &Value) -> Option<u64> {
    let fraction = || value.as_f64().filter(|it| it.is_finite() && *it >= 0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is finite and not negative; a later time than u64 can hold never comes"
    )]
    let whole = |number: f64| number.round() as u64;
    value.as_u64().or_else(|| fraction().map(whole))
}

/// The roles: a list of texts, or one text with spaces. A claim of another form has none.
fn roles(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    let whole = claims.get(claim);
    let by_path = || {
        let mut names = claim.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |object, name| object.get(name))
    };
    match whole.or_else(by_path) {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}
