//! `/operations/…`: the resources of the admin port for the page of the platform.
//!
//! A browser cannot use the admin port, which refuses every page. Here, a page of the platform itself can, on behalf of an
//! operator. An open platform has no operators: the resources are then for this machine alone. The other resources of the
//! admin port stay there: a reload is for the one who has changed the files.

use ::http::header::CACHE_CONTROL;
use ::http::request::Parts;
use ::http::uri::PathAndQuery;
use ::http::{HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use wasmtime_wasi_http::WasiBody;

use super::host_responses::options;
use super::identity_paths::is_from_this_machine;
use super::origins::RequestOrigin;
use super::{ClientInfo, Server, guarded, strip_untrusted};
use crate::operator_resources::{LOCAL_PROGRAM, OperatorResources};
use crate::principal::CallPrincipal;
use crate::problem::Problem;

/// The route in logs and metrics.
pub(super) const ROUTE: &str = "/operations/...";

/// The path before those of the admin port.
const PREFIX: &str = "/operations";

/// The resource of the admin port that is not here.
const RELOAD: &str = "/reload";

/// The longest body, in bytes.
const MAX_BODY: u64 = 64 * 1024;

/// Whether a path is one of these resources.
pub(super) fn is_below(path: &str) -> bool {
    let below = path.strip_prefix(PREFIX);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request for one of these resources.
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
    let (mut head, body) = request.into_parts();
    let is_direct = is_from_this_machine(&head);
    let body = server
        .receive(&head, body, MAX_BODY, &generation, client)
        .await?;
    strip_untrusted(&mut head, client, &generation.listener);
    let resources = resources(server, is_direct)?;
    if head.method == Method::OPTIONS {
        return Ok(options("GET, HEAD, POST, DELETE, OPTIONS"));
    }
    let principal = server.authenticate(&head, None, false).await;
    let (principal, permit) = server.admit(principal, &head, client, &generation.listener)?;
    let actor = actor(&principal)?;
    let is_safe = matches!(head.method, Method::GET | Method::HEAD);
    if !is_safe && !origin.is_own() {
        return Err(Problem::ForeignOrigin);
    }
    let request = Request::from_parts(on_admin_port(head)?, body.into_body());
    let mut response = resources.answer(request, actor).await;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    Ok(guarded(response, permit))
}

/// The resources, if this platform has them for the client.
fn resources(server: &Server, is_direct: bool) -> Result<&dyn OperatorResources, Problem> {
    let resources = server.operations.as_deref();
    let resources = resources.filter(|_| server.identity.is_some() || is_direct);
    resources.ok_or(Problem::NotFound)
}

/// Who the operator is.
fn actor(principal: &CallPrincipal) -> Result<&str, Problem> {
    match principal {
        CallPrincipal::Open => Ok(LOCAL_PROGRAM),
        known => known.operator().ok_or(Problem::OperatorOnly),
    }
}

/// The request as the admin port would receive it.
fn on_admin_port(mut head: Parts) -> Result<Parts, Problem> {
    let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let target: Uri = target
        .strip_prefix(PREFIX)
        .and_then(|target| target.parse().ok())
        .ok_or(Problem::NotFound)?;
    if target.path() == RELOAD {
        return Err(Problem::NotFound);
    }
    head.uri = target;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_conventions::principal::Role;

    fn target(uri: &str) -> Option<String> {
        let head = Request::builder().uri(uri).body(()).unwrap().into_parts().0;
        on_admin_port(head).ok().map(|head| head.uri.to_string())
    }

    #[test]
    fn a_path_leads_to_the_resource_of_the_admin_port() {
        assert!(is_below("/operations") && is_below("/operations/breakers"));
        assert!(!is_below("/operationsx") && !is_below("/cars/operations"));
        assert_eq!(target("/operations/breakers").as_deref(), Some("/breakers"));
        let letters = target("http://localhost:3000/operations/dead-letters?limit=1");
        assert_eq!(letters.as_deref(), Some("/dead-letters?limit=1"));
        for absent in [
            "/operations",
            "/operations/reload",
            "/operations/reload?x=1",
        ] {
            assert_eq!(target(absent), None, "{absent}");
        }
    }

    #[test]
    fn operators_act_under_their_names_and_nobody_else_does() {
        let user = |role| CallPrincipal::user(role, "olga").unwrap();
        assert_eq!(actor(&CallPrincipal::Open), Ok(LOCAL_PROGRAM));
        assert_eq!(actor(&user(Role::Operator)), Ok("olga"));
        for other in [
            user(Role::Customer),
            user(Role::Host),
            CallPrincipal::anonymous(),
            CallPrincipal::platform(),
        ] {
            assert_eq!(actor(&other), Err(Problem::OperatorOnly));
        }
    }
}
