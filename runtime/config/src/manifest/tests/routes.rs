//! The route of a path.

use std::path::Path;

use proptest::prelude::*;

use super::{CAR, HEAD, app, load_with};
use crate::manifest::{
    App, Overrides, Route, RouteHandler, RouteMatch, RouteTable, canonical_path,
};

/// One component per route, named after its position: `r0`, `r1` …
fn table(routes: &[&str]) -> RouteTable {
    let mut text = HEAD.to_owned();
    for (index, route) in routes.iter().enumerate() {
        text += &format!("[[trigger.http]]\nroute = {route:?}\ncomponent = \"r{index}\"\n");
        text += &format!("[component.r{index}]\nsource = \"r.wasm\"\n");
    }
    let loaded = App::from_text(Path::new("spin.toml"), &text, &Overrides::default());
    loaded.unwrap_or_else(|error| panic!("{error}")).routes
}

fn pattern<'a>(table: &'a RouteTable, path: &str) -> Option<&'a str> {
    table.route(path).map(|found| found.route.pattern())
}

#[test]
fn the_most_specific_route_is_chosen() {
    let table = table(&[
        "/...",
        "/:any",
        "/a/...",
        "/a",
        "/a/:id",
        "/a/b",
        "/:x/b/...",
        "/a/:id/c",
    ]);
    for (path, expected) in [
        ("/", "/..."),
        ("/x", "/:any"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a/1", "/a/:id"),
        ("/a/b", "/a/b"),
        ("/a/1/c", "/a/:id/c"),
        ("/a/b/c", "/a/:id/c"),
        ("/a/1/d", "/a/..."),
        ("/x/b", "/:x/b/..."),
        ("/x/b/y/z", "/:x/b/..."),
        ("/x/y", "/..."),
    ] {
        assert_eq!(pattern(&table, path), Some(expected), "{path}");
    }
}

#[test]
fn a_path_that_no_route_matches_is_not_found() {
    let table = table(&["/cars/...", "/", "/a/:id"]);
    for path in [
        "/car",
        "/carsharing",
        "/a",
        "/a/",
        "/a/1/2",
        "/A/1",
        "/cars%2F",
    ] {
        assert_eq!(pattern(&table, path), None, "{path}");
    }
    assert_eq!(pattern(&table, "/"), Some("/"));
    assert_eq!(pattern(&table, ""), Some("/"));
}

#[test]
fn a_route_has_every_spelling_of_its_path() {
    let table = table(&["/예약/...", "/c%61rs/:id", "/a%2fb"]);
    for (path, expected) in [
        ("/예약/1", "/예약/..."),
        ("/%ec%98%88%EC%95%BD", "/예약/..."),
        ("/%63ars/1", "/c%61rs/:id"),
        ("/a%2Fb", "/a%2fb"),
    ] {
        let path = canonical_path(path);
        assert_eq!(pattern(&table, &path), Some(expected), "{path}");
    }
    assert_eq!(pattern(&table, "/a/b"), None);
}

#[test]
fn a_trailing_wildcard_keeps_the_slashes_as_spin_does() {
    let table = table(&["/foo/..."]);
    for (path, expected) in [
        ("/foo", ""),
        ("/foo/", "/"),
        ("/foo/bar", "/bar"),
        ("/foo/bar/", "/bar/"),
        ("/foo/bar/baz", "/bar/baz"),
        ("/foo/bar//", "/bar/"),
        ("//foo/bar", "/bar"),
        ("/foo//bar", "//bar"),
    ] {
        let trailing = table.route(path).and_then(|found| found.trailing);
        assert_eq!(trailing, Some(expected), "{path}");
    }
    let everything = super::routes::table(&["/..."]);
    let trailing = |path| everything.route(path).and_then(|found| found.trailing);
    assert_eq!(trailing("/"), Some("/"));
    assert_eq!(trailing(""), Some(""));
    assert_eq!(trailing("//"), Some("/"));
    assert_eq!(trailing("//a//b"), Some("/a//b"));
}

#[test]
fn params_have_the_values_of_their_segments() {
    let table = table(&["/:first/x/:second/...", "/y/:empty/z"]);
    let empty = table.route("/y//z").map(|found| found.params);
    assert_eq!(empty, Some(vec![("empty", "")]), "as Spin has it");
    let found = table.route("/1/x/2.3/rest");
    let params = found.map(|RouteMatch { params, .. }| params);
    assert_eq!(params, Some(vec![("first", "1"), ("second", "2.3")]));
}

#[test]
fn the_prefix_excludes_the_wildcard() {
    let table = table(&["/cars/...", "/old/*", "/...", "/exact/", "bare"]);
    let mut prefixes: Vec<_> = table.iter().map(Route::prefix).collect();
    prefixes.sort_unstable();
    assert_eq!(prefixes, ["", "/bare", "/cars", "/exact/", "/old"]);
}

#[test]
fn a_private_endpoint_has_no_route() {
    let app = app(
        "[[trigger.http]]\nroute = { private = true }\ncomponent = \"hidden\"\n[component.hidden]\nsource = \"h.wasm\"",
    );
    assert_eq!(app.routes.iter().count(), 1);
    assert!(app.component("hidden").is_some());
}

#[test]
fn a_static_response_needs_no_component() {
    let app = app(
        "[[trigger.http]]\nroute = \"/robots.txt\"\nstatic_response = { status_code = 203, headers = { a = \"b\" }, body = \"no\" }",
    );
    let Some(RouteHandler::Static(response)) = app
        .routes
        .route("/robots.txt")
        .map(|found| &found.route.handler)
    else {
        panic!("no static response");
    };
    assert_eq!(
        (response.status.as_u16(), &response.body[..]),
        (203, &b"no"[..])
    );
    assert_eq!(response.headers["a"], "b");
}

#[test]
fn routes_that_differ_in_a_param_name_only_are_duplicates() {
    let text = format!(
        "{HEAD}{CAR}[[trigger.http]]\nroute = \"/x/:a\"\ncomponent = \"car\"\n[[trigger.http]]\nroute = \"/x/:b/\"\ncomponent = \"car\""
    );
    assert!(load_with(&text, &Overrides::default()).is_err());
}

/// A reference implementation: whether a route matches a path.
fn fits(route: &str, path: &str) -> bool {
    let path: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let (fixed, open) = match route.strip_suffix("/...") {
        Some(fixed) => (fixed, true),
        None => (route, false),
    };
    let fixed: Vec<&str> = fixed
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let long_enough = if open {
        path.len() >= fixed.len()
    } else {
        path.len() == fixed.len()
    };
    long_enough
        && fixed
            .iter()
            .zip(&path)
            .all(|(one, other)| one.starts_with(':') || one == other)
}

/// A reference implementation of the precedence, segment by segment: a literal, the end, a parameter, a wildcard.
fn rank(route: &str) -> Vec<u8> {
    let kind = |segment: &str| match segment {
        "..." => 3,
        segment if segment.starts_with(':') => 2,
        _ => 0,
    };
    let kinds = route
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(kind);
    kinds.chain([1]).collect()
}

fn routes() -> impl Strategy<Value = Vec<String>> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("c"), Just(":p"), Just(":q")];
    let route =
        (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(segments, open)| {
            // Names must differ within a route: number them.
            let named = segments.iter().enumerate().map(|(index, segment)| {
                match segment.strip_prefix(':') {
                    Some(name) => format!("/:{name}{index}"),
                    None => format!("/{segment}"),
                }
            });
            let fixed: String = named.collect();
            match (open, fixed.is_empty()) {
                (true, _) => fixed + "/...",
                (false, true) => "/".to_owned(),
                (false, false) => fixed,
            }
        });
    prop::collection::vec(route, 1..8).prop_map(|mut routes| {
        let shape = |route: &String| {
            route
                .replace(|letter: char| letter.is_ascii_digit(), "")
                .replace(":q", ":p")
        };
        routes.sort_by_key(shape);
        routes.dedup_by_key(|route| shape(route));
        routes
    })
}

proptest! {
    #[test]
    fn the_route_table_agrees_with_the_reference_implementation(
        routes in routes().prop_shuffle(),
        path in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c"), Just("d")], 0..5),
    ) {
        let path = format!("/{}", path.join("/"));
        let texts: Vec<&str> = routes.iter().map(String::as_str).collect();
        let table = table(&texts);
        let expected = texts.iter().filter(|route| fits(route, &path)).min_by_key(|route| rank(route));
        prop_assert_eq!(pattern(&table, &path), expected.copied());
    }
}
