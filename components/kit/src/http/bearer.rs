//! Bearer tokens that programs of the platform share.

use super::{message::Request, problem::Problem};
use http::{HeaderName, StatusCode, header};
use subtle::ConstantTimeEq as _;

/// The token in the value of a variable. A line break at its end comes from the file that it was read from: no header
/// could have it. `None` if there is no token.
#[must_use]
pub fn token(value: &str) -> Option<&str> {
    let token = value.trim_end_matches(['\r', '\n']);
    (!token.is_empty()).then_some(token)
}

/// Authorizes a request with the token that the variable `name` has.
///
/// # Errors
///
/// 404 without a token, 401 for a missing or wrong one.
pub fn authorize(request: &Request, name: &str, value: &str) -> Result<(), Problem> {
    let Some(token) = token(value) else {
        let path = request.uri().path();
        return Err(Problem::not_found(format!("there is nothing at {path}")));
    };
    let sent = request.headers().get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match sent.is_some_and(|sent| sent.ct_eq(token.as_bytes()).into()) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "The bearer token is missing or wrong",
            format!("send Authorization: Bearer with the value of the variable {name}"),
        )
        .header(HeaderName::from_static("www-authenticate"), "Bearer")),
    }
}
