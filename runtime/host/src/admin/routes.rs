//! Paths of the admin listener: `/dead-letters/{id}/redrive`, one method each, and the handler.

use std::pin::Pin;

use bytes::Bytes;
use http::Method;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::answer::{Answer, Refusal};

type Handler = Box<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Routes whose handlers share a state.
pub struct Routes<S> {
    state: S,
    routes: Vec<Route>,
}

/// What stands for the names in a pattern.
pub(super) type Parameters = Vec<(&'static str, String)>;

/// One method on one path.
pub struct Route {
    method: Method,
    pattern: &'static str,
    handler: Handler,
}

/// What a handler gets to know of a request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub(super) parameters: Parameters,
    pub(super) query: String,
    pub(super) body: Bytes,
}

// === impl Routes ===

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    pub fn of(state: S) -> Self {
        Self {
            state,
            routes: Vec::new(),
        }
    }

    /// Reading. A `{name}` in the pattern stands for one segment of a path.
    #[must_use]
    pub fn get<F: Future<Output = Answer> + Send + 'static>(
        self,
        pattern: &'static str,
        handler: fn(S, Asked) -> F,
    ) -> Self {
        self.on(Method::GET, pattern, handler)
    }

    /// Doing something.
    #[must_use]
    pub fn post<F: Future<Output = Answer> + Send + 'static>(
        self,
        pattern: &'static str,
        handler: fn(S, Asked) -> F,
    ) -> Self {
        self.on(Method::POST, pattern, handler)
    }

    /// Making something so, once or again.
    #[must_use]
    pub fn put<F: Future<Output = Answer> + Send + 'static>(
        self,
        pattern: &'static str,
        handler: fn(S, Asked) -> F,
    ) -> Self {
        self.on(Method::PUT, pattern, handler)
    }

    /// Taking something away.
    #[must_use]
    pub fn delete<F: Future<Output = Answer> + Send + 'static>(
        self,
        pattern: &'static str,
        handler: fn(S, Asked) -> F,
    ) -> Self {
        self.on(Method::DELETE, pattern, handler)
    }

    fn on<F: Future<Output = Answer> + Send + 'static>(
        mut self,
        method: Method,
        pattern: &'static str,
        handler: fn(S, Asked) -> F,
    ) -> Self {
        let state = self.state.clone();
        self.routes.push(Route {
            method,
            pattern,
            handler: Box::new(move |asked| Box::pin(handler(state.clone(), asked))),
        });
        self
    }
}

impl<S> IntoIterator for Routes<S> {
    type Item = Route;
    type IntoIter = std::vec::IntoIter<Route>;

    fn into_iter(self) -> Self::IntoIter {
        self.routes.into_iter()
    }
}

// === impl Route ===

impl Route {
    /// Has the request answered.
    pub async fn handle(&self, asked: Asked) -> Answer {
        (self.handler)(asked).await
    }

    /// What stands for the names of the pattern in this path, if it fits.
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

/// The route for a request, and what stands for the names in its pattern.
pub(super) fn find<'r>(
    routes: &'r [Route],
    method: &Method,
    path: &str,
) -> Result<(&'r Route, Parameters), Refusal> {
    // The server sends no body in answer to HEAD, so that is all it takes.
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
        true => Err(Refusal::not_found(format!("nothing is at {path}"))),
        false => Err(Refusal::method_not_allowed(&allowed.join(", "))),
    }
}

// === impl Asked ===

impl Asked {
    /// What stands in the path for `{name}`; empty if the pattern has no such name.
    pub fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The value of `name` in the query.
    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(known, _)| *known == name)?;
        let value = value.replace('+', " ");
        Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON of this shape.
    ///
    /// # Errors
    /// The refusal to answer with if it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| Refusal::invalid(error.to_string()))
    }
}
