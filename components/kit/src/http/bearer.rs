//! Platform tokens as bearer tokens: how programs of the platform authorize their requests over a network.

use super::{message::Request, problem::Problem};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_conventions::authentication::bearer;
use platform_token::SigningKeys;

/// The context that a request is for, and when it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    /// The name of the context, for which a token must be.
    pub context: &'static str,
    /// The present time, in seconds since 1970.
    pub now: u64,
}

/// Authorizes a request with the keys in the variable `name`, which has this value.
///
/// # Errors
///
/// 404 without keys, 401 for a missing or wrong token.
pub fn authorize(
    request: &Request,
    name: &str,
    value: &str,
    receiver: Receiver,
) -> Result<(), Problem> {
    let Some(keys) = SigningKeys::read(value) else {
        let path = request.uri().path();
        return Err(Problem::not_found(format!("there is nothing at {path}")));
    };
    let Receiver { context, now } = receiver;
    let values = request.headers().get_all(header::AUTHORIZATION).iter();
    let sent = bearer(values.map(HeaderValue::as_bytes)).ok();
    let sent = sent.and_then(|token| std::str::from_utf8(token).ok());
    let verified = match sent {
        Some(token) => keys
            .verify(token, context, now)
            .map_err(|it| it.to_string()),
        None => Err("there is no token".to_owned()),
    };
    verified.map_err(|reason| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "The platform token is missing or wrong",
            format!(
                "{reason}; send Authorization: Bearer with a platform token for `{context}`, signed with the variable {name}"
            ),
        )
        .header(HeaderName::from_static("www-authenticate"), "Bearer")
    })
}
