//! `/identity/authorization`, `/identity/grant` and `/identity/sign-out`: the [authorization-code
//! flow](crate::identity::authorization_code) of the page. They exist with an OpenID provider that knows the page, and for
//! the page of the platform alone.

use std::sync::LazyLock;

use ::http::header::{CACHE_CONTROL, LOCATION};
use ::http::request::Parts;
use ::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tracing::warn;
use wasmtime_wasi_http::WasiBody;

use super::host_responses::options;
use super::identity_paths::{is_json, json, method_not_allowed};
use super::origins::RequestOrigin;
use super::{ClientInfo, Server};
use crate::identity::Identity;
use crate::identity::authorization_code::{Grant, GrantedTokens, error_name};
use crate::log_limiter::LogLimiter;
use crate::principal::CallPrincipal;
use crate::problem::{Problem, document};

/// The path that leads to the provider, where a user signs in.
const AUTHORIZATION_PATH: &str = "/identity/authorization";
/// The path where a code or a refresh token becomes an access token.
const GRANT_PATH: &str = "/identity/grant";
/// The path that leads to the provider, where a user signs out.
const SIGN_OUT_PATH: &str = "/identity/sign-out";

/// The longest body, in bytes: a refresh token may be as long as an access token.
const MAX_BODY: u64 = 16 * 1024;

/// Lines about the same cause in ten seconds.
static CAUSES: LazyLock<LogLimiter> = LazyLock::new(|| LogLimiter::new(1));

/// Whether a path is one of these.
pub(super) fn is_path(path: &str) -> bool {
    [AUTHORIZATION_PATH, GRANT_PATH, SIGN_OUT_PATH].contains(&path)
}

/// Answers a request of the page for one of these paths.
///
/// # Errors
/// The problem, when the request may not use them or did not arrive.
pub(super) async fn answer(
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
    let is_grant = head.uri.path() == GRANT_PATH;
    let methods = match is_grant {
        true => "POST, OPTIONS",
        false => "GET, HEAD, OPTIONS",
    };
    match (&head.method, is_grant) {
        (&Method::OPTIONS, _) => return Ok(options(methods)),
        (&Method::POST, true) | (&(Method::GET | Method::HEAD), false) => {}
        _ => return Ok(method_not_allowed(methods)),
    }
    let identity = server.identity.as_deref().filter(|_| origin.is_own());
    let identity = identity.ok_or(Problem::NotFound)?;
    let anonymous = Ok(CallPrincipal::anonymous());
    let _admitted = server.admit(anonymous, &head, client, &generation.listener)?;
    if !is_grant {
        return redirected(identity, &head).await;
    }
    if !is_json(&head.headers) {
        return Ok(document(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "send the grant as application/json",
            None,
        ));
    }
    let body = body.into_body().collect().await;
    let body = body.map_err(|_| Problem::BodyIncomplete)?.to_bytes();
    match serde_json::from_slice(&body) {
        Ok(grant) => granted(identity, &grant).await,
        // The cause could contain a part of a token.
        Err(_) => Ok(document(
            StatusCode::BAD_REQUEST,
            "malformed-json",
            "send an object with the grant_type authorization_code or refresh_token, and its members",
            None,
        )),
    }
}

/// The redirection to the provider, where the user signs in or out.
async fn redirected(identity: &Identity, head: &Parts) -> Result<Response<WasiBody>, Problem> {
    let (provider, page) = identity.provider().ok_or(Problem::NotFound)?;
    let endpoints = provider.endpoints().await;
    let endpoints = endpoints.ok_or(Problem::IdentityUnavailable)?;
    let query = head.uri.query().unwrap_or_default();
    let target = match head.uri.path() {
        AUTHORIZATION_PATH => {
            let endpoint = endpoints.authorization.ok_or(Problem::NotFound)?;
            page.authorization(&endpoint, query)
        }
        _ => match endpoints.end_session {
            Some(endpoint) => page.sign_out(&endpoint, query),
            // The user stays signed in at the provider, which does not offer more.
            None => Some("/".to_owned()),
        },
    };
    let Some(target) = target.and_then(|target| HeaderValue::try_from(target).ok()) else {
        return Ok(document(
            StatusCode::BAD_REQUEST,
            "bad-query",
            "send each parameter of the flow once, percent-encoded",
            None,
        ));
    };
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, target);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The tokens that the provider gives for a grant.
async fn granted(identity: &Identity, grant: &Grant) -> Result<Response<WasiBody>, Problem> {
    let (provider, page) = identity.provider().ok_or(Problem::NotFound)?;
    let endpoints = provider.endpoints().await;
    let endpoint = endpoints.ok_or(Problem::IdentityUnavailable)?.token;
    let endpoint = endpoint.ok_or(Problem::NotFound)?;
    let answered = provider.request_token(&endpoint, page.token_request(grant));
    let (status, body) = match answered.await {
        Ok(Some(answer)) => answer,
        Ok(None) => return Err(Problem::IdentityUnavailable),
        Err(error) => return Err(unavailable(&endpoint, &format!("{error:#}"))),
    };
    if status == StatusCode::OK {
        let tokens = serde_json::from_slice::<GrantedTokens>(&body);
        let tokens = tokens.map_err(|_| unavailable(&endpoint, "its answer has no token"))?;
        return Ok(json(&tokens, "no-store"));
    }
    let refusal = error_name(&body).filter(|_| status.is_client_error());
    let refusal = refusal.ok_or_else(|| unavailable(&endpoint, &format!("it answers {status}")))?;
    let detail = format!("the issuer refuses the sign-in ({refusal}): sign in again");
    let status = StatusCode::BAD_REQUEST;
    Ok(document(status, "grant-refused", &detail, None))
}

/// The problem of a provider that gives no usable answer. The cause is for the operator.
fn unavailable(endpoint: &Uri, cause: &str) -> Problem {
    if let Some(suppressed) = CAUSES.admit(cause) {
        warn!(
            %endpoint,
            cause,
            suppressed,
            "the issuer gives the page no token"
        );
    }
    Problem::IdentityUnavailable
}
