//! The HTTP route table: which component answers which path.
//!
//! A route is literal segments and `:name` segments, and may end in `/...` for everything below. Where several fit,
//! the most precise one answers, as in Spin: segment by segment, a literal before a `:name` before `...`. Two routes
//! that fit exactly the same paths are a mistake here (stock Spin lets the last one win).

use std::cmp::Ordering;
use std::fmt;

use super::names::ComponentId;
use super::static_response::StaticResponse;
use crate::document::{ConfigError, Located};

/// All public routes of an application, the most precise ones first.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    routes: Vec<Route>,
}

/// One `[[trigger.http]]` that can be reached from outside.
#[derive(Clone, Debug)]
pub struct Route {
    pattern: RoutePattern,
    /// Who answers.
    pub handler: RouteHandler,
}

/// Who answers on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteHandler {
    /// A component.
    Component(ComponentId),
    /// The manifest itself.
    Static(StaticResponse),
}

/// A route that fits a path.
#[derive(Clone, Debug)]
pub struct RouteMatch<'table, 'path> {
    /// The route that fits.
    pub route: &'table Route,
    /// What each `:name` segment stood for, in their order.
    pub params: Vec<(&'table str, &'path str)>,
    /// What `...` stood for, with its leading slash: `""`, `"/"`, `"/1"`, `"/1/"`. `None` without a wildcard.
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

/// Paths below this one are the host's own.
const RESERVED: &str = "/.well-known/spin";

// === impl RouteTable ===

impl RouteTable {
    /// Orders the routes.
    ///
    /// # Errors
    /// When two of them fit exactly the same paths.
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
        routes.sort_by(|one, other| one.pattern.precision(&other.pattern));
        Ok(Self { routes })
    }

    /// The routes of the components to keep, and the static ones.
    pub(crate) fn of_components(mut self, keep: impl Fn(&ComponentId) -> bool) -> Self {
        self.routes.retain(|route| match &route.handler {
            RouteHandler::Component(id) => keep(id),
            RouteHandler::Static(_) => true,
        });
        self
    }

    /// Finds the route for a path (without its query). Slashes at either end do not matter, as in Spin.
    pub fn route<'table, 'path>(
        &'table self,
        path: &'path str,
    ) -> Option<RouteMatch<'table, 'path>> {
        self.routes.iter().find_map(|route| route.fit(path))
    }

    /// All routes, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}

// === impl Route ===

impl Route {
    /// The route as the manifest has it (with a leading slash), such as `/cars/...`.
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

    /// Slashes at either end count once at most; inside, an empty segment is a segment.
    fn fit<'table, 'path>(&'table self, path: &'path str) -> Option<RouteMatch<'table, 'path>> {
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
    /// Checks a route.
    ///
    /// # Errors
    /// When no path could ever fit it, or it says something that routes cannot say.
    pub(crate) fn parse(written: &Located<String>) -> Result<Self, ConfigError> {
        let fault = |problem: &str, remedy: &str| Err(written.error(problem, remedy));
        let text = match written.value.as_str() {
            text if text.starts_with('/') => text.to_owned(),
            text => format!("/{text}"),
        };
        if text.contains("{{") {
            return fault("routes take no variables", "write the path itself");
        }
        if let Some(odd) = text
            .chars()
            .find(|letter| letter.is_whitespace() || "?#".contains(*letter))
        {
            return fault(
                &format!("{odd:?} cannot stand in a path"),
                "write a path such as `/cars/...`",
            );
        }
        if text.starts_with(RESERVED) {
            return fault(
                "paths below /.well-known/spin belong to the host",
                "choose another route",
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
                    return fault("two slashes follow each other", "remove one of them");
                }
                _ if segment == "..." || segment.contains('*') => {
                    return fault(
                        "a wildcard stands before the end",
                        "put `/...` last, or use `:name` for one segment",
                    );
                }
                Some(name) => Segment::Param(checked_name(written, name, &segments)?),
                None => Segment::Literal(segment.to_owned()),
            };
            segments.push(segment);
        }
        Ok(Self {
            wildcard: below.is_some(),
            segments,
            text,
        })
    }

    fn same_paths(&self, other: &Self) -> bool {
        let same_segment = |(one, other): (&Segment, &Segment)| match (one, other) {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            (Segment::Param(_), Segment::Param(_)) => true,
            _ => false,
        };
        self.wildcard == other.wildcard
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(same_segment)
    }

    /// `Less` when this pattern is tried first.
    fn precision(&self, other: &Self) -> Ordering {
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

fn checked_name(
    written: &Located<String>,
    name: &str,
    before: &[Segment],
) -> Result<String, ConfigError> {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || !name.bytes().all(usual) {
        return Err(written.error(
            format!("`:{name}` is not a parameter"),
            "name it with letters, digits, `-` and `_`, such as `:carId`",
        ));
    }
    if before.contains(&Segment::Param(name.to_owned())) {
        return Err(written.error(
            format!("`:{name}` stands twice"),
            "give each parameter its own name",
        ));
    }
    Ok(name.to_owned())
}
