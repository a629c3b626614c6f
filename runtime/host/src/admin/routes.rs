//! The routes of the admin listener: a method, a path pattern such as `/dead-letters/{id}/redrive`, and a handler.

use std::pin::Pin;

use bytes::Bytes;
use http::Method;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::response::{AdminError, AdminResponse};

type AdminHandler =
    Box<dyn Fn(AdminRequest) -> Pin<Box<dyn Future<Output = AdminResponse> + Send>> + Send + Sync>;

/// Routes whose handlers share a state.
pub struct AdminRoutes<S> {
    state: S,
    routes: Vec<AdminRoute>,
}

/// The values of the names in a pattern.
pub(super) type Parameters = Vec<(&'static str, String)>;

/// One method of one path pattern.
pub struct AdminRoute {
    method: Method,
    pattern: &'static str,
    handler: AdminHandler,
}

/// A request, as a handler receives it.
#[derive(Clone, Debug)]
pub struct AdminRequest {
    pub(super) parameters: Parameters,
    pub(super) query: String,
    pub(super) body: Bytes,
}

// === impl AdminRoutes ===

impl<S: Clone + Send + Sync + 'static> AdminRoutes<S> {
    /// No route yet, for handlers with this state.
    pub fn of(state: S) -> Self {
        Self {
            state,
            routes: Vec::new(),
        }
    }

    /// Adds a GET route. A `{name}` in the pattern stands for one segment of the path.
    #[must_use]
    pub fn get<F: Future<Output = AdminResponse> + Send + 'static>(
        self,
        pattern: &'static str,
        handler: fn(S, AdminRequest) -> F,
    ) -> Self {
        self.on(Method::GET, pattern, handler)
    }

    /// Adds a POST route.
    #[must_use]
    pub fn post<F: Future<Output = AdminResponse> + Send + 'static>(
        self,
        pattern: &'static str,
        handler: fn(S, AdminRequest) -> F,
    ) -> Self {
        self.on(Method::POST, pattern, handler)
    }

    /// Adds a DELETE route.
    #[must_use]
    pub fn delete<F: Future<Output = AdminResponse> + Send + 'static>(
        self,
        pattern: &'static str,
        handler: fn(S, AdminRequest) -> F,
    ) -> Self {
        self.on(Method::DELETE, pattern, handler)
    }

    fn on<F: Future<Output = AdminResponse> + Send + 'static>(
        mut self,
        method: Method,
        pattern: &'static str,
        handler: fn(S, AdminRequest) -> F,
    ) -> Self {
        let state = self.state.clone();
        self.routes.push(AdminRoute {
            method,
            pattern,
            handler: Box::new(move |request| Box::pin(handler(state.clone(), request))),
        });
        self
    }
}

impl<S> IntoIterator for AdminRoutes<S> {
    type Item = AdminRoute;
    type IntoIter = std::vec::IntoIter<AdminRoute>;

    fn into_iter(self) -> Self::IntoIter {
        self.routes.into_iter()
    }
}

// === impl AdminRoute ===

impl AdminRoute {
    /// Calls the handler.
    pub async fn handle(&self, request: AdminRequest) -> AdminResponse {
        (self.handler)(request).await
    }

    /// The values of the names in the pattern; `None` if the path does not match.
    fn parameters(&self, path: &str) -> Option<Parameters> {
        let mut parameters = Parameters::new();
        let mut segments = path.split('/');
        for expected in self.pattern.split('/') {
            let segment = segments.next()?;
            let name = expected
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'));
            match name {
                Some(name) => {
                    let value = percent_decode_str(segment).decode_utf8().ok()?;
                    parameters.push((name, value.into_owned()));
                }
                None if expected == segment => {}
                None => return None,
            }
        }
        segments.next().is_none().then_some(parameters)
    }
}

/// The route of a request, and the values of the names in its pattern.
pub(super) fn find<'r>(
    routes: &'r [AdminRoute],
    method: &Method,
    path: &str,
) -> Result<(&'r AdminRoute, Parameters), AdminError> {
    // The server removes the body from a response to HEAD.
    let wanted = match *method {
        Method::HEAD => &Method::GET,
        _ => method,
    };
    let mut allowed = Vec::new();
    for route in routes {
        if let Some(parameters) = route.parameters(path) {
            if route.method == *wanted {
                return Ok((route, parameters));
            }
            allowed.push(route.method.as_str());
        }
    }
    match allowed.is_empty() {
        true => Err(AdminError::not_found(format!(
            "there is no resource at {path}"
        ))),
        false => Err(AdminError::method_not_allowed(&allowed.join(", "))),
    }
}

// === impl AdminRequest ===

impl AdminRequest {
    /// The segment of the path at `{name}`; empty if the pattern has no such name.
    pub fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The value of `name` in the query string.
    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(known, _)| *known == name)?;
        let value = value.replace('+', " ");
        Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
    }

    /// The body, at most 64 KiB.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, deserialized from JSON.
    ///
    /// # Errors
    /// 422 when the body is not JSON of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, AdminError> {
        serde_json::from_slice(&self.body).map_err(|error| AdminError::invalid(error.to_string()))
    }
}
