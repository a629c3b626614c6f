//! What a link answers with when the other side has no answer. Never in silence.
//!
//! - Nothing of its own: the problem stands, with its status and `Retry-After`.
//! - The last good answer to the same GET ([`stale`]), which says so: `Warning: 110` and `Age`.
//! - What another component makes of the same GET or HEAD, which says so: `Warning: 199`.
//!
//! An answer of a customer who showed who he is (`Authorization`, `Cookie`) is kept for nobody.

mod stale;

use std::time::{Duration, Instant};

use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, RANGE, WARNING};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Body as _;
use resilience::deadline::Deadline;
use wasmtime_wasi_http::WasiBody;

use crate::call::Call;
use crate::capability::outbound_http::ComponentRegistry;
use crate::problem::full;
use config::policy::Fallback;

use stale::StaleCache;

/// The part of its time that a call has before another component is asked: that one needs some, too.
const FIRST: f64 = 0.75;

/// What there is to answer with.
pub(super) enum LinkFallback {
    Nothing,
    Stale(StaleCache),
    Component {
        callees: ComponentRegistry,
        component: String,
        warning: HeaderValue,
    },
}

/// What must be kept of a request to answer it without the other side.
pub(super) enum RequestKey {
    Nothing,
    /// What its answer is found by.
    Key(String),
    Head(Box<Parts>),
}

// === impl LinkFallback ===

impl LinkFallback {
    pub fn new(fallback: &Fallback, callees: &ComponentRegistry) -> Self {
        match fallback {
            Fallback::Problem => Self::Nothing,
            Fallback::Stale(age) => Self::stale(*age),
            Fallback::Component(component) => {
                let component = component.value.clone();
                let warning = format!("199 socar \"answered by {component} instead\"");
                Self::Component {
                    callees: callees.clone(),
                    // Its letters are those of a component's id, which a header may hold.
                    warning: HeaderValue::try_from(warning)
                        .unwrap_or(HeaderValue::from_static("199 socar \"answered instead\"")),
                    component,
                }
            }
        }
    }

    fn stale(age: Duration) -> Self {
        Self::Stale(StaleCache::new(age))
    }

    /// Whether the problem always stands.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// What is to be kept of this request.
    pub fn remember(&self, request: &Request<WasiBody>) -> RequestKey {
        match self {
            Self::Nothing => RequestKey::Nothing,
            Self::Stale(_) => key(request).map_or(RequestKey::Nothing, RequestKey::Key),
            Self::Component { .. } => {
                let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
                match is_look && request.body().is_end_stream() {
                    true => RequestKey::Head(Box::new(request.clone_head())),
                    false => RequestKey::Nothing,
                }
            }
        }
    }

    /// The call as it is made first, if that must leave time for somebody else to answer.
    pub fn first(&self, key: &RequestKey, call: &Call) -> Option<Call> {
        match (self, key) {
            (Self::Component { .. }, RequestKey::Head(_)) => {
                let left = call.deadline.saturating_duration_since(Instant::now());
                Some(call.clone().with_timeout(left.mul_f64(FIRST)))
            }
            _ => None,
        }
    }

    /// Keeps a good answer for worse times.
    pub fn keep(&self, key: RequestKey, response: Response<WasiBody>) -> Response<WasiBody> {
        match (self, key) {
            (Self::Stale(answers), RequestKey::Key(key)) if response.status() == StatusCode::OK => {
                answers.record(key, response)
            }
            _ => response,
        }
    }

    /// Something else to answer with, if there is anything.
    pub async fn answer(&self, key: RequestKey, call: &Call) -> Option<Response<WasiBody>> {
        match (self, key) {
            (Self::Stale(answers), RequestKey::Key(key)) => answers.find(&key),
            (
                Self::Component {
                    callees,
                    component,
                    warning,
                },
                RequestKey::Head(head),
            ) => {
                let understudy = callees.get(component)?;
                let deadline = Deadline::at(call.deadline);
                let _permit = understudy.admit(call.priority, deadline).await.ok()?;
                let request = Request::from_parts(*head, full(""));
                let admission = understudy.admission();
                let answer = understudy.attempt(request, call.clone(), admission).await;
                let mut response = answer.ok().filter(|it| !it.status().is_server_error())?;
                response.headers_mut().append(WARNING, warning.clone());
                Some(response)
            }
            _ => None,
        }
    }
}

/// The head of a request that keeps its body.
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

/// Two requests with the same key may have the same answer.
fn key(request: &Request<WasiBody>) -> Option<String> {
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
    Some(format!("{}{path} {}", text(HOST), text(ACCEPT)))
}
