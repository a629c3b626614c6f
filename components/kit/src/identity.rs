//! Who sends a request, on a host that does not say it.
//!
//! `socar` verifies access tokens, and names the user in the header of the [`principal`](crate::principal). Stock Spin does
//! not: there, each context reads the credentials of a request ([`Credentials`]), has its token verified by the component
//! `token-verifier`, and writes the header itself. What a client sends in that header counts nowhere.
//!
//! No route leads to `/internal` from outside, on any host: such a request comes from a context of the same application.

use crate::http::{Response, json_response, path, problem::MEDIA_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
pub use http_conventions::identity::{REQUIRED, VERIFIER};
use http_conventions::{
    authentication::{CredentialsError, Refusal, bearer},
    cors::PROBLEM_HEADERS,
    principal::{PRINCIPAL, Principal},
    problem::TYPE_PREFIX,
};
use serde_json::json;
use std::fmt::Display;

/// Who verifies access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// The host, which names the principal of each request.
    Host,
    /// The components. No host names a principal.
    Components,
    /// The component does not declare the variable, as in a manifest of an older version.
    Undeclared,
}

/// What a request says of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// The path says that another context of this application sends it.
    Internal,
    /// The request changes and reveals nothing, and browsers send no token with it.
    NotNeeded,
    /// A bearer token. It is empty if no token can have the form of what was sent.
    Token(&'a str),
}

// === impl Verifier ===

impl Verifier {
    /// The verifier that the variable [`VERIFIER`] names; `None` stands for an undeclared variable.
    #[must_use]
    pub fn named(value: Option<&str>) -> Self {
        match value {
            Some("host") => Self::Host,
            Some(_) => Self::Components,
            None => Self::Undeclared,
        }
    }

    /// Whether nothing says if the host or the client has named the principal in these headers.
    #[must_use]
    pub fn is_in_doubt(self, headers: &HeaderMap) -> bool {
        self == Self::Undeclared && headers.contains_key(PRINCIPAL)
    }
}

// === impl Credentials ===

impl<'a> Credentials<'a> {
    /// The credentials of a request.
    ///
    /// # Errors
    ///
    /// [`Refusal::TokenRequired`] when it has none.
    pub fn of(head: &'a Parts) -> Result<Self, Refusal<&'static str>> {
        if path::segments(head.uri.path()).first().map(AsRef::as_ref) == Some("internal") {
            return Ok(Self::Internal);
        }
        if head.method == Method::OPTIONS {
            return Ok(Self::NotNeeded);
        }
        let values = head.headers.get_all(header::AUTHORIZATION).iter();
        match bearer(values.map(HeaderValue::as_bytes)) {
            Ok(token) => Ok(Self::Token(std::str::from_utf8(token).unwrap_or_default())),
            Err(CredentialsError::Repeated) => Ok(Self::Token("")),
            Err(CredentialsError::Missing) => Err(Refusal::TokenRequired),
        }
    }
}

/// Removes every principal that the sender named.
pub fn remove_principal(headers: &mut HeaderMap) {
    headers.remove(PRINCIPAL);
}

/// Names the principal of a request for the handlers of the context.
///
/// # Errors
///
/// [`Refusal::Unavailable`] when no header can carry the subject.
pub fn set_principal(
    headers: &mut HeaderMap,
    principal: Principal<&str>,
) -> Result<(), Refusal<String>> {
    let value = HeaderValue::try_from(principal.to_string());
    headers.insert(PRINCIPAL, value.map_err(|_| Refusal::Unavailable)?);
    Ok(())
}

/// The response to a request that is not authenticated: the same as that of `socar`.
#[must_use]
pub fn refused<R: Display>(refusal: &Refusal<R>) -> Response {
    let status = StatusCode::from_u16(refusal.status());
    let status = status.unwrap_or(StatusCode::UNAUTHORIZED);
    let body = json!({
        "type": format!("{TYPE_PREFIX}{}", refusal.slug()),
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": refusal.to_string(),
    });
    let mut response = json_response(status, MEDIA_TYPE, &body);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(PROBLEM_HEADERS),
    );
    let challenge = refusal.challenge();
    if let Some(Ok(challenge)) = challenge.map(|it| HeaderValue::try_from(it.to_string())) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn head(method: Method, path: &str, authorization: &[&'static str]) -> Parts {
        let mut request = http::Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        for value in authorization {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(header::AUTHORIZATION, value);
        }
        request.into_parts().0
    }

    #[test]
    fn the_credentials_of_a_request_are_its_path_or_its_token() {
        let of = |path, authorization: &[&'static str]| {
            let head = head(Method::GET, path, authorization);
            Credentials::of(&head).map(|found| match found {
                Credentials::Token(token) => format!("token {token}"),
                other => format!("{other:?}"),
            })
        };
        assert_eq!(of("/cars", &["Bearer a.b.c"]), Ok("token a.b.c".into()));
        assert_eq!(of("/cars", &["Bearer a", "Bearer b"]), Ok("token ".into()));
        assert_eq!(of("/internal/cars/1/hold", &[]), Ok("Internal".into()));
        for outside in [
            "/cars",
            "/cars/internal/1/hold",
            "/internals",
            "/cars/../internal",
        ] {
            assert_eq!(of(outside, &[]), Err(Refusal::TokenRequired), "{outside}");
        }
        let preflight = head(Method::OPTIONS, "/cars", &[]);
        assert_eq!(Credentials::of(&preflight), Ok(Credentials::NotNeeded));
    }

    #[test]
    fn a_principal_of_the_sender_is_replaced() {
        let mut headers = HeaderMap::new();
        headers.append(PRINCIPAL, HeaderValue::from_static("operator mallory"));
        headers.append(PRINCIPAL, HeaderValue::from_static("platform"));
        remove_principal(&mut headers);
        assert!(headers.is_empty());
        headers.append(PRINCIPAL, HeaderValue::from_static("operator mallory"));
        set_principal(&mut headers, Principal::Anonymous).unwrap();
        let found: Vec<_> = headers.get_all(PRINCIPAL).iter().collect();
        assert_eq!(found, ["anonymous"]);
    }

    #[test]
    fn a_principal_counts_only_if_something_says_who_named_it() {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(PRINCIPAL),
            HeaderValue::from_static("operator mallory"),
        )]);
        for (value, verifier, is_in_doubt) in [
            (Some("host"), Verifier::Host, false),
            (Some("components"), Verifier::Components, false),
            (Some(""), Verifier::Components, false),
            (Some("Host"), Verifier::Components, false),
            (None, Verifier::Undeclared, true),
        ] {
            assert_eq!(Verifier::named(value), verifier, "{value:?}");
            assert_eq!(verifier.is_in_doubt(&headers), is_in_doubt, "{value:?}");
            assert!(!verifier.is_in_doubt(&HeaderMap::new()), "{value:?}");
        }
    }

    #[test]
    fn a_refusal_says_how_to_get_in() {
        let response = refused(&Refusal::<&str>::TokenRequired);
        assert_eq!(response.status(), 401);
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer realm=\"socar\""
        );
        assert_eq!(
            response.body(),
            "{\"type\":\"https://socar.dev/problems/token-required\",\"title\":\"Unauthorized\",\"status\":401,\
             \"detail\":\"send an access token as Authorization: Bearer …\"}"
        );
        assert_eq!(refused(&Refusal::<&str>::RoleRequired).status(), 403);
        let unavailable = refused(&Refusal::<&str>::Unavailable);
        assert_eq!(
            (
                unavailable.status().as_u16(),
                &unavailable.headers()["retry-after"]
            ),
            (503, &"1".parse().unwrap())
        );
    }
}
