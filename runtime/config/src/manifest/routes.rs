//! The HTTP routes of an application.
//!
//! A route consists of literal segments and `:name` segments, and may end in `/...` for all paths below. If several routes
//! match a path, the most specific one is chosen, as in Spin: segment by segment, a literal before a `:name` before `...`.
//! Two routes that match exactly the same paths are an error; stock Spin chooses the last one.

use std::cmp::Ordering;
use std::fmt;

use super::canonical_path::canonical_path;
use super::names::ComponentId;
use super::static_response::StaticResponse;
use crate::document::{ConfigError, Located};

/// All public routes of an application, the most specific ones first.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    routes: Vec<Route>,
}

/// One public `[[trigger.http]]`.
#[derive(Clone, Debug)]
pub struct Route {
    pattern: RoutePattern,
    /// The source of the response.
    pub handler: RouteHandler,
}

/// The source of the response of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteHandler {
    /// A component.
    Component(ComponentId),
    /// A response in the manifest.
    Static(StaticResponse),
}

/// A route that matches a path.
#[derive(Clone, Debug)]
pub struct RouteMatch<'table, 'path> {
    /// The route.
    pub route: &'table Route,
    /// The name and the value of each `:name` segment, in the order of the path.
    pub params: Vec<(&'table str, &'path str)>,
    /// The path below the route, with its leading slash: `""`, `"/"`, `"/1"` or `"/1/"`. `None` without a wildcard.
    pub trailing: Option<&'path str>,
}

#[derive(Clone, Debug)]
pub(crate) struct RoutePattern {
    text: String,
    segments: Vec<Segment>,
    wildcard: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Param(String),
}

/// Paths at which the host answers itself.
const PATHS_OF_HOST: [&str; 10] = [
    "/livez",
    "/readyz",
    "/actuator/health",
    "/actuator/health/liveness",
    "/actuator/health/readiness",
    "/identity",
    "/identity/token",
    "/identity/authorization",
    "/identity/grant",
    "/identity/sign-out",
];

/// The host answers at these paths and at all below.
const TREES_OF_HOST: [&str; 2] = ["/.well-known/spin", "/operations"];

/// Whether the host answers at a path itself, so that no route leads there.
pub fn is_of_host(path: &str) -> bool {
    PATHS_OF_HOST.contains(&path) || TREES_OF_HOST.iter().any(|tree| is_at_or_below(path, tree))
}

fn is_at_or_below(path: &str, tree: &str) -> bool {
    let below = path.strip_prefix(tree);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

// === impl RouteTable ===

impl RouteTable {
    /// Sorts the routes.
    ///
    /// # Errors
    /// When two routes match exactly the same paths.
    pub(crate) fn new(
        routes: Vec<(Located<String>, RoutePattern, RouteHandler)>,
    ) -> Result<Self, ConfigError> {
        for (index, (written, pattern, _)) in routes.iter().enumerate() {
            let earlier = routes[..index]
                .iter()
                .find(|(_, other, _)| other.same_paths(pattern));
            if let Some((earlier, _, handler)) = earlier {
                return Err(written.error(
                    format!(
                        "{handler} already answers on these paths{}",
                        earlier.at.line_suffix()
                    ),
                    "give one of the two another route, or remove it",
                ));
            }
        }
        let mut routes: Vec<Route> = routes
            .into_iter()
            .map(|(_, pattern, handler)| Route { pattern, handler })
            .collect();
        routes.sort_by(|one, other| one.pattern.specificity(&other.pattern));
        Ok(Self { routes })
    }

    /// Keeps the routes of the selected components and the static responses.
    pub(crate) fn of_components(mut self, is_selected: impl Fn(&ComponentId) -> bool) -> Self {
        self.routes.retain(|route| match &route.handler {
            RouteHandler::Component(id) => is_selected(id),
            RouteHandler::Static(_) => true,
        });
        self
    }

    /// Finds the route of a path without a query, in the spelling of [`canonical_path`]. Slashes at either end are
    /// ignored, as in Spin.
    pub fn route<'table, 'path>(
        &'table self,
        path: &'path str,
    ) -> Option<RouteMatch<'table, 'path>> {
        self.routes.iter().find_map(|route| route.matches(path))
    }

    /// The route that matches exactly the same paths as this one.
    pub(crate) fn same_as(&self, pattern: &RoutePattern) -> Option<&Route> {
        self.routes.iter().find(|it| it.pattern.same_paths(pattern))
    }

    /// All routes, in the order of their precedence.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}

// === impl Route ===

impl Route {
    /// The route in the manifest, with a leading slash, such as `/cars/...`.
    pub fn pattern(&self) -> &str {
        &self.pattern.text
    }

    /// The route without its trailing wildcard, such as `/cars`.
    pub fn prefix(&self) -> &str {
        let prefix = self.pattern.text.strip_suffix("/...");
        prefix
            .or_else(|| self.pattern.text.strip_suffix("/*"))
            .unwrap_or(&self.pattern.text)
    }

    /// Repeated slashes at either end count as one; inside the path, they enclose empty segments.
    fn matches<'table, 'path>(&'table self, path: &'path str) -> Option<RouteMatch<'table, 'path>> {
        let leading = path.len() - path.trim_start_matches('/').len();
        let start = leading.saturating_sub(1);
        let end = path.trim_end_matches('/').len().max(leading);
        let mut rest = &path[start..end];
        let mut params = Vec::new();
        for segment in &self.pattern.segments {
            rest = rest.strip_prefix('/').filter(|rest| !rest.is_empty())?;
            let (found, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            match segment {
                Segment::Literal(literal) if literal == found => {}
                Segment::Param(name) => params.push((name.as_str(), found)),
                Segment::Literal(_) => return None,
            }
            rest = after;
        }
        let fits = self.pattern.wildcard || rest.is_empty() || rest == "/";
        let trailing = &path[end - rest.len()..path.len().min(end + 1)];
        fits.then_some(RouteMatch {
            route: self,
            params,
            trailing: self.pattern.wildcard.then_some(trailing),
        })
    }
}

// === impl RouteHandler ===

impl fmt::Display for RouteHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(id) => write!(f, "component `{id}`"),
            Self::Static(_) => f.write_str("a static response"),
        }
    }
}

// === impl RoutePattern ===

impl RoutePattern {
    /// Parses a route.
    ///
    /// # Errors
    /// When the route is malformed, or when it can match no path.
    pub(crate) fn parse(written: &Located<String>) -> Result<Self, ConfigError> {
        let invalid = |problem: &str, remedy: &str| Err(written.error(problem, remedy));
        let text = match written.value.as_str() {
            text if text.starts_with('/') => text.to_owned(),
            text => format!("/{text}"),
        };
        if text.contains("{{") {
            return invalid("a route cannot contain variables", "write the path itself");
        }
        if let Some(odd) = text
            .chars()
            .find(|letter| letter.is_whitespace() || "?#".contains(*letter))
        {
            return invalid(
                &format!("{odd:?} is not allowed in a path"),
                "write a path such as `/cars/...`",
            );
        }
        let below = text
            .strip_suffix("/...")
            .or_else(|| text.strip_suffix("/*"));
        let fixed = below.unwrap_or(&text);
        let fixed = fixed.strip_suffix('/').unwrap_or(fixed);
        let mut segments = Vec::new();
        for segment in fixed.split('/').skip(1) {
            let segment = match segment.strip_prefix(':') {
                _ if segment.is_empty() => {
                    return invalid("two slashes follow each other", "remove one of them");
                }
                _ if segment == "..." || segment.contains('*') => {
                    return invalid(
                        "a wildcard is only allowed at the end",
                        "put `/...` last, or use `:name` for one segment",
                    );
                }
                Some(name) => Segment::Param(param_name(written, name, &segments)?),
                None => Segment::Literal(canonical_path(segment).into_owned()),
            };
            segments.push(segment);
        }
        let pattern = Self {
            wildcard: below.is_some(),
            segments,
            text,
        };
        match pattern.is_of_host() {
            true => invalid(
                "the host itself answers at these paths",
                "choose another route",
            ),
            false => Ok(pattern),
        }
    }

    /// Whether the host answers at every path that the pattern matches.
    fn is_of_host(&self) -> bool {
        let literals = self.segments.iter().map_while(|segment| match segment {
            Segment::Literal(literal) => Some(format!("/{literal}")),
            Segment::Param(_) => None,
        });
        let literals: Vec<String> = literals.collect();
        let path = literals.concat();
        let is_path = literals.len() == self.segments.len() && !self.wildcard;
        TREES_OF_HOST.iter().any(|tree| is_at_or_below(&path, tree))
            || (is_path && PATHS_OF_HOST.contains(&path.as_str()))
    }

    /// Whether it matches a single path.
    pub(crate) fn is_literal(&self) -> bool {
        let is_literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
        !self.wildcard && self.segments.iter().all(is_literal)
    }

    pub(crate) fn same_paths(&self, other: &Self) -> bool {
        let same_segment = |(one, other): (&Segment, &Segment)| match (one, other) {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            (Segment::Param(_), Segment::Param(_)) => true,
            _ => false,
        };
        self.wildcard == other.wildcard
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(same_segment)
    }

    /// `Less` if this pattern takes precedence.
    fn specificity(&self, other: &Self) -> Ordering {
        let rank = |segment: &Segment| matches!(segment, Segment::Param(_));
        let differing = self
            .segments
            .iter()
            .zip(&other.segments)
            .map(|(one, other)| rank(one).cmp(&rank(other)));
        let deeper_first = other.segments.len().cmp(&self.segments.len());
        differing
            .chain([deeper_first, self.wildcard.cmp(&other.wildcard)])
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

fn param_name(
    written: &Located<String>,
    name: &str,
    previous: &[Segment],
) -> Result<String, ConfigError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || !name.bytes().all(is_allowed) {
        return Err(written.error(
            format!("`:{name}` is not a parameter"),
            "name it with letters, digits, `-` and `_`, such as `:carId`",
        ));
    }
    if previous.contains(&Segment::Param(name.to_owned())) {
        return Err(written.error(
            format!("`:{name}` occurs twice"),
            "give each parameter its own name",
        ));
    }
    Ok(name.to_owned())
}
