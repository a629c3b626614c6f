//! `/identity`: how a page signs its users in, and tokens for the users whom a page on this machine names.
//!
//! A page of a host with the identity `local` lets its user choose a name and a role, which is for trying a platform on one
//! machine. Tokens are therefore signed only where this machine alone reaches the port, for the page of the platform itself,
//! under a name of this machine: a page whose own name was resolved to this machine (DNS rebinding) sends that name in
//! `Host`. For every other sign-in, the path does not exist.

use std::net::IpAddr;
use std::time::Duration;

use ::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST};
use ::http::request::Parts;
use ::http::uri::Authority;
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use access_token::SigningKey;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_conventions::principal::{Role, is_subject};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tracing::info;
use wasmtime_wasi_http::WasiBody;

use super::host_responses::options;
use super::origins::RequestOrigin;
use super::{ClientInfo, Server};
use crate::body::full;
use crate::identity::{Identity, IdentityMode, local};
use crate::principal::CallPrincipal;
use crate::problem::{Problem, document};

/// The path of the identity.
pub(super) const PATH: &str = "/identity";

/// The path of tokens for users of the page.
pub(super) const TOKEN_PATH: &str = "/identity/token";

/// How long a token for a user of the page is valid.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The longest body, in bytes.
const MAX_BODY: u64 = 4096;

/// Whom a page signs in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    role: String,
    subject: String,
}

/// A token, in the form of RFC 6749, 5.1.
#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
}

/// The response with the identity of the platform.
pub(super) fn describe(identity: Option<&Identity>, method: &Method) -> Response<WasiBody> {
    match *method {
        Method::GET | Method::HEAD => {
            let mode = identity.map_or(&IdentityMode::Open, Identity::mode);
            json(mode, "no-cache")
        }
        Method::OPTIONS => options("GET, HEAD, OPTIONS"),
        _ => method_not_allowed("GET, HEAD, OPTIONS"),
    }
}

/// The response to a page that signs a user in.
///
/// # Errors
/// The problem, when the request may not do so or did not arrive.
pub(super) async fn sign_in(
    server: &Server,
    request: Request<Incoming>,
    origin: &RequestOrigin,
    client: &ClientInfo,
) -> Result<Response<WasiBody>, Problem> {
    let generation = server.current.get();
    let (head, body) = request.into_parts();
    let body = server
        .receive(&head, body, MAX_BODY, &generation, client)
        .await?;
    match head.method {
        Method::POST => {}
        Method::OPTIONS => return Ok(options("POST, OPTIONS")),
        _ => return Ok(method_not_allowed("POST, OPTIONS")),
    }
    let identity = server.identity.as_deref();
    let key = identity.and_then(Identity::sign_in_key);
    let key = key.filter(|_| is_from_this_machine(&head) && origin.is_own());
    let key = key.ok_or(Problem::NotFound)?;
    let anonymous = Ok(CallPrincipal::anonymous());
    let _admitted = server.admit(anonymous, &head, client, &generation.listener)?;
    if !is_json(&head.headers) {
        return Ok(document(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "send the user as application/json",
            None,
        ));
    }
    let body = body.into_body().collect().await;
    let body = body.map_err(|_| Problem::BodyIncomplete)?.to_bytes();
    Ok(signed(key, &body))
}

/// The response with a token for the user in the body.
fn signed(key: &SigningKey, body: &Bytes) -> Response<WasiBody> {
    let sign_in: SignIn = match serde_json::from_slice(body) {
        Ok(sign_in) => sign_in,
        Err(error) => {
            let detail = format!("send an object with role and subject: {error}");
            return document(StatusCode::BAD_REQUEST, "malformed-json", &detail, None);
        }
    };
    let invalid = |detail| {
        document(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-field",
            detail,
            None,
        )
    };
    let Some(role) = Role::from_name(&sign_in.role) else {
        return invalid("role: write customer, host or operator");
    };
    if !is_subject(&sign_in.subject) {
        return invalid("subject: write 1 to 255 visible ASCII characters without spaces");
    }
    match local::token(key, role, &sign_in.subject, LIFETIME) {
        Ok(access_token) => {
            info!(
                role = role.as_str(),
                subject = sign_in.subject,
                "the page has signed a user in"
            );
            let token = TokenResponse {
                access_token,
                token_type: "Bearer",
                expires_in: LIFETIME.as_secs(),
            };
            json(&token, "no-store")
        }
        Err(_) => Problem::IdentityUnavailable.response(),
    }
}

/// The headers that only proxies add, besides `X-Forwarded-*`.
const PROXY_HEADERS: [&str; 5] = [
    "cdn-loop",
    "forwarded",
    "true-client-ip",
    "via",
    "x-real-ip",
];

/// Whether a program or a page on this machine sends a request directly: it names this machine, and no proxy has passed it
/// on. HTTP/1.0 is what nginx speaks to the servers behind it unless it is told otherwise, and what no browser speaks.
pub(super) fn is_from_this_machine(request: &Parts) -> bool {
    if request.version < Version::HTTP_11 {
        return false;
    }
    let is_forwarded =
        |name: &str| name.starts_with("x-forwarded-") || PROXY_HEADERS.contains(&name);
    let mut names = request.headers.keys();
    let host = request
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let authority = host.as_ref().or(request.uri.authority());
    !names.any(|name| is_forwarded(name.as_str())) && authority.is_some_and(is_this_machine)
}

/// Whether an authority is a name of this machine that no other one can have.
fn is_this_machine(authority: &Authority) -> bool {
    let name = authority.host().trim_matches(['[', ']']);
    let address = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = media_type.and_then(|it| it.split(';').next());
    essence.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
}

pub(super) fn json(value: &impl Serialize, cache_control: &'static str) -> Response<WasiBody> {
    // Texts and numbers can always be serialized.
    let mut response = Response::new(full(serde_json::to_vec(value).unwrap_or_default()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    response
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Response<WasiBody> {
    let detail = format!("allowed here: {allowed}");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = document(status, "method-not-allowed", &detail, None);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_of_a_manifest_is_a_path_of_the_identity() {
        use crate::trigger::http::{authorization_paths, operations};
        use config::manifest::is_of_host;
        assert!([PATH, TOKEN_PATH].into_iter().all(is_of_host));
        for path in ["/authorization", "/grant", "/sign-out"] {
            let path = format!("{PATH}{path}");
            assert!(authorization_paths::is_path(&path) && is_of_host(&path));
        }
        for path in ["/operations", "/operations/chaos", "/operations-of-cars"] {
            assert_eq!(operations::is_below(path), is_of_host(path), "{path}");
        }
    }

    fn is_own(target: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_from_this_machine(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_rebound_name_and_a_proxy_are_not_this_machine() {
        for host in [
            "127.0.0.1:3000",
            "[::1]:3000",
            "localhost",
            "LOCALHOST:80",
            "127.0.0.2",
        ] {
            assert!(is_own("/", &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:3000",
            "10.0.0.7:3000",
            "[::2]",
            "",
            "a b",
        ] {
            assert!(!is_own("/", &[("host", host)]), "{host}");
        }
        assert!(is_own("http://localhost:3000/", &[]));
        assert!(!is_own("http://evil.example/", &[]));
        assert!(!is_own("/", &[]));
        for header in [
            "x-forwarded-for",
            "x-forwarded-host",
            "forwarded",
            "via",
            "x-real-ip",
        ] {
            assert!(
                !is_own("/", &[("host", "localhost"), (header, "x")]),
                "{header}"
            );
        }
    }

    #[test]
    fn a_proxy_that_adds_no_header_speaks_an_old_version() {
        for (version, expected) in [
            (Version::HTTP_10, false),
            (Version::HTTP_11, true),
            (Version::HTTP_2, true),
        ] {
            let request = Request::builder().version(version).uri("/");
            let request = request.header("host", "localhost").body(()).unwrap();
            assert_eq!(is_from_this_machine(&request.into_parts().0), expected);
        }
    }

    #[tokio::test]
    async fn a_token_is_for_a_user_with_a_role() {
        let key = SigningKey::generate().unwrap();
        let key = SigningKey::from_pkcs8(&key).unwrap();
        for (body, status) in [
            (r#"{"role":"customer","subject":"alice"}"#, 200),
            (r#"{"role":"platform","subject":"alice"}"#, 422),
            (r#"{"role":"host","subject":""}"#, 422),
            (r#"{"role":"host","subject":"a b"}"#, 422),
            (r#"{"role":"host"}"#, 400),
            (r#"{"role":"host","subject":"a","expires":9}"#, 400),
            ("", 400),
        ] {
            let response = signed(&key, &Bytes::from_static(body.as_bytes()));
            assert_eq!(response.status(), status, "{body}");
        }
        let alice = Bytes::from_static(br#"{"role":"customer","subject":"alice"}"#);
        let body = signed(&key, &alice).into_body().collect().await.unwrap();
        let token: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        assert_eq!(token["token_type"], "Bearer");
        assert_eq!(token["expires_in"], 3600);
        let expected = access_token::Expected {
            issuer: local::ISSUER.into(),
            audience: local::AUDIENCE.into(),
            roles_claim: "roles".into(),
        };
        let token = token["access_token"].as_str().unwrap();
        let verified = access_token::verify(token, &key.keys(), &expected).unwrap();
        assert_eq!(
            (verified.subject.as_str(), &verified.roles[..]),
            ("alice", &["customer".to_owned()][..])
        );
    }
}
