//! Fallbacks: the response of a link whose target fails.
//!
//! - The problem itself, with its status and `Retry-After`.
//! - The last good response to the same GET request ([`stale`]), marked with `Warning: 110` and `Age`.
//! - The response of another component to the same GET or HEAD request, marked with `Warning: 199`.
//!
//! Responses to requests with credentials (`Authorization`, `Cookie`) are never stored, nor responses that must not be
//! stored or not be given stale (`Cache-Control`), that set a cookie, or that depend on other headers than the key contains (`Vary`).

mod stale;

use std::future::Future;
use std::time::{Duration, Instant};

use http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, COOKIE, HOST, RANGE, SET_COOKIE, VARY, WARNING,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Body as _;
use resilience::deadline::Deadline;
use wasmtime_wasi_http::WasiBody;

use crate::body::full;
use crate::call::Call;
use crate::principal::PRINCIPAL;
use config::policy::Fallback;

use super::components::{ComponentRegistry, RegisteredComponent};
use super::request::{LinkRequest, LinkTarget as _};
use super::target::ComponentTarget;
use stale::{Conditions, StaleCache};

/// The share of the time for the target. The rest is left for the component to fall back on.
const TARGET_SHARE: f64 = 0.75;

/// The directives of `Cache-Control` that keep a response from another client, or from being given without asking the
/// target (RFC 9111, 4.2.4). The policy permits only what no directive prohibits.
const FORBIDDING: [&str; 6] = [
    "no-store",
    "private",
    "no-cache",
    "must-revalidate",
    "proxy-revalidate",
    "s-maxage",
];

/// Headers of trusted proxies, from which components make links.
const FORWARDED: [&str; 5] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
];

/// The fallback of one link.
pub enum LinkFallback {
    /// The problem stands, with its status and `Retry-After`.
    Problem,
    /// The last good response to the same GET request.
    Stale(StaleCache),
    /// The response of another component to the same request.
    Component {
        registered: RegisteredComponent,
        target: ComponentTarget,
        warning: HeaderValue,
    },
}

/// What a fallback needs of a request.
pub enum RequestKey {
    Nothing,
    /// The key of the cached response, and the conditions of the client.
    Key(String, Conditions),
    Head(Box<Parts>),
}

/// A request of a kind that a fallback may respond to.
pub trait FallbackRequest: LinkRequest {
    /// What the fallback needs of the request.
    fn fallback_key(&self, fallback: &LinkFallback) -> RequestKey;

    /// The same response, which the fallback may store.
    fn store(fallback: &LinkFallback, key: RequestKey, response: Self::Response) -> Self::Response;

    /// The response of the fallback, if there is one.
    fn respond(
        fallback: &LinkFallback,
        key: RequestKey,
        call: &Call,
    ) -> impl Future<Output = Option<Self::Response>> + Send;
}

// === impl LinkFallback ===

impl LinkFallback {
    pub fn new(fallback: &Fallback, components: &ComponentRegistry) -> Self {
        match fallback {
            Fallback::Problem => Self::Problem,
            Fallback::Stale(age) => Self::stale(*age),
            Fallback::Component(component) => match components.get(component.value.as_str()) {
                Some(registered) => Self::component(registered),
                // The policy was checked against the manifest.
                None => Self::Problem,
            },
        }
    }

    fn component(registered: &RegisteredComponent) -> Self {
        let warning = format!("199 socar \"answered by {} instead\"", registered.id);
        Self::Component {
            target: ComponentTarget::new(registered, registered.admission.clone()),
            registered: registered.clone(),
            // A component id holds only characters that a header may hold.
            warning: HeaderValue::try_from(warning)
                .unwrap_or(HeaderValue::from_static("199 socar \"answered instead\"")),
        }
    }

    fn stale(age: Duration) -> Self {
        Self::Stale(StaleCache::new(age))
    }

    /// What the fallback needs of this request.
    pub fn key(&self, request: &Request<WasiBody>) -> RequestKey {
        match self {
            Self::Problem => RequestKey::Nothing,
            Self::Stale(_) => match cache_key(request) {
                Some(key) => RequestKey::Key(key, Conditions::of(request.headers())),
                None => RequestKey::Nothing,
            },
            Self::Component { .. } => {
                let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
                match is_safe && request.body().is_end_stream() {
                    true => RequestKey::Head(Box::new(request.clone_head())),
                    false => RequestKey::Nothing,
                }
            }
        }
    }

    /// The call to the target, if it must leave time for another component.
    pub fn first_call(&self, key: &RequestKey, call: &Call) -> Option<Call> {
        match (self, key) {
            (Self::Component { .. }, RequestKey::Head(_)) => {
                let left = call.deadline.saturating_duration_since(Instant::now());
                Some(call.clone().with_timeout(left.mul_f64(TARGET_SHARE)))
            }
            _ => None,
        }
    }

    /// Stores a good response.
    pub fn store(&self, key: RequestKey, response: Response<WasiBody>) -> Response<WasiBody> {
        match (self, key) {
            (Self::Stale(answers), RequestKey::Key(key, _))
                if response.status() == StatusCode::OK && may_be_stored(response.headers()) =>
            {
                answers.record(key, response)
            }
            _ => response,
        }
    }

    /// The fallback response, if there is one.
    pub async fn respond(&self, key: RequestKey, call: &Call) -> Option<Response<WasiBody>> {
        match (self, key) {
            (Self::Stale(answers), RequestKey::Key(key, conditions)) => {
                answers.find(&key, &conditions)
            }
            (
                Self::Component {
                    registered,
                    target,
                    warning,
                },
                RequestKey::Head(head),
            ) => {
                // A component that waits for this call has a permit already, and would wait for itself.
                let permit = match call.has_caller(&registered.id) {
                    true => None,
                    false => {
                        let deadline = Deadline::at(call.deadline);
                        let admitted = registered.admission.admit(call.priority, deadline).await;
                        Some(admitted.ok()?)
                    }
                };
                let request = Request::from_parts(*head, full(""));
                let answer = target.handle(request, call).await;
                let mut response = answer.ok().filter(|it| !it.status().is_server_error())?;
                response.headers_mut().append(WARNING, warning.clone());
                // The permit is held until the last byte of the body.
                Some(response.map(|body| match permit {
                    Some(permit) => ComponentTarget::hold(body, permit, call.deadline),
                    None => body,
                }))
            }
            _ => None,
        }
    }
}

/// Copies the head of a request.
trait CloneHead {
    fn clone_head(&self) -> Parts;
}

impl CloneHead for Request<WasiBody> {
    fn clone_head(&self) -> Parts {
        let mut copy = Request::new(());
        *copy.method_mut() = self.method().clone();
        *copy.uri_mut() = self.uri().clone();
        *copy.headers_mut() = self.headers().clone();
        copy.into_parts().0
    }
}

/// The cache key. Requests with the same key may get the same response.
fn cache_key(request: &Request<WasiBody>) -> Option<String> {
    let headers = request.headers();
    let is_personal = [AUTHORIZATION, COOKIE, RANGE]
        .iter()
        .any(|name| headers.contains_key(name));
    if *request.method() != Method::GET || is_personal {
        return None;
    }
    let text = |name| {
        let value = headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let path = request.uri().path_and_query()?;
    let forwarded: Vec<&str> = FORWARDED
        .map(|name| text(HeaderName::from_static(name)))
        .into();
    let forwarded = forwarded.join(" ");
    let (host, accept, principal) = (text(HOST), text(ACCEPT), text(PRINCIPAL));
    Some(format!("{host}{path} {accept} {forwarded} {principal}"))
}

/// Whether a response may be given to another client with the same key.
fn may_be_stored(headers: &HeaderMap) -> bool {
    let list = |name: HeaderName| {
        let values = headers.get_all(name).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        texts
            .flat_map(|text| text.split(','))
            .map(|item| item.trim().to_ascii_lowercase())
    };
    let is_forbidden = list(CACHE_CONTROL).any(|directive| {
        let name = directive.split('=').next().unwrap_or_default();
        FORBIDDING.contains(&name.trim())
    });
    let in_key = |name: &String| {
        [HOST.as_str(), ACCEPT.as_str()].contains(&name.as_str())
            || FORWARDED.contains(&name.as_str())
    };
    !is_forbidden && !headers.contains_key(SET_COOKIE) && list(VARY).all(|name| in_key(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut request = Request::get("http://a/cars?page=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        cache_key(&request.body(full("")).unwrap())
    }

    #[test]
    fn everything_that_a_response_depends_on_is_in_its_key() {
        let plain = key(&[("host", "a")]);
        assert!(plain.is_some());
        for (name, value) in [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "8443"),
            ("x-forwarded-prefix", "/fleet"),
            ("forwarded", "host=evil.example"),
            ("accept", "text/html"),
        ] {
            assert_ne!(key(&[("host", "a"), (name, value)]), plain, "{name}");
        }
        for name in ["authorization", "cookie", "range"] {
            assert_eq!(key(&[("host", "a"), (name, "x")]), None, "{name}");
        }
    }

    #[test]
    fn a_response_that_is_not_for_others_is_not_stored() {
        let stored = |name: &'static str, value: &'static str| {
            let header = (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            may_be_stored(&HeaderMap::from_iter([header]))
        };
        for (name, value, expected) in [
            ("etag", "\"1\"", true),
            ("cache-control", "max-age=5", true),
            ("cache-control", "public, stale-if-error=60", true),
            ("cache-control", "no-cache", false),
            ("cache-control", "no-cache=\"set-cookie\"", false),
            ("cache-control", "max-age=5, Must-Revalidate", false),
            ("cache-control", "proxy-revalidate", false),
            ("cache-control", "s-maxage=5", false),
            ("cache-control", "max-age=5, No-Store", false),
            ("cache-control", "private=\"x\"", false),
            ("set-cookie", "a=b", false),
            ("vary", "Accept", true),
            ("vary", "accept, accept-language", false),
            ("vary", "*", false),
        ] {
            assert_eq!(stored(name, value), expected, "{name}: {value}");
        }
    }
}
