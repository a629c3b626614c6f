//! The responses of the screen, without a host.

use super::*;

const PAGE: &str = include_str!("../assets/index.html");
const WORDS: &str = include_str!("../assets/words.js");
const SCRIPTS: [&str; 9] = [
    include_str!("../assets/app.js"),
    include_str!("../assets/api.js"),
    include_str!("../assets/actions.js"),
    include_str!("../assets/editor.js"),
    include_str!("../assets/fleet.js"),
    include_str!("../assets/messages.js"),
    include_str!("../assets/notices.js"),
    include_str!("../assets/poller.js"),
    include_str!("../assets/row.js"),
];

fn send(method: Method, path: &str) -> Response<Bytes> {
    answer(&method, path, &HeaderMap::new())
}

fn get_if_none_match(path: &str, tags: &str) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    headers.insert(
        IF_NONE_MATCH,
        HeaderValue::from_bytes(tags.as_bytes()).expect("a tag is a header value"),
    );
    answer(&Method::GET, path, &headers)
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).expect("every response is UTF-8")
}

/// The texts between each occurrence of `before` and the next quote.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split(['"', '\'']).next())
        .collect()
}

#[test]
fn the_root_path_serves_the_page() {
    let response = send(Method::GET, "/");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(
        response.headers()[CONTENT_LENGTH],
        response.body().len().to_string().as_str()
    );
    assert!(text(&response).contains("<h1>SOCAR</h1>"));
}

#[test]
fn every_file_that_the_page_or_a_script_loads_is_served() {
    let from_page = quoted(PAGE, "src=\"")
        .into_iter()
        .chain(quoted(PAGE, "href=\""))
        .filter(|path| !path.starts_with('#'));
    let imports = SCRIPTS
        .iter()
        .flat_map(|script| quoted(script, "from './"))
        .map(|name| format!("/assets/{name}"));
    let paths: Vec<String> = from_page.map(str::to_owned).chain(imports).collect();
    assert!(
        paths.len() > 15,
        "only {paths:?} were found: has the way of writing imports changed?"
    );
    for path in paths {
        assert_eq!(send(Method::GET, &path).status(), StatusCode::OK, "{path}");
    }
}

#[test]
fn every_kind_of_file_has_its_media_type() {
    assert_eq!(
        send(Method::GET, "/assets/app.js").headers()[CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(
        send(Method::GET, "/assets/style.css").headers()[CONTENT_TYPE],
        "text/css; charset=utf-8"
    );
    assert_eq!(
        send(Method::GET, "/assets/icon.svg").headers()[CONTENT_TYPE],
        "image/svg+xml"
    );
}

#[test]
fn a_matching_entity_tag_is_answered_with_304() {
    let first = send(Method::GET, "/assets/app.js");
    let tag = first.headers()[ETAG].to_str().expect("a tag is ASCII");
    for tags in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let again = get_if_none_match("/assets/app.js", &tags);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{tags}");
        assert!(again.body().is_empty());
        assert_eq!(again.headers()[ETAG], tag);
        assert_eq!(again.headers()[CACHE_CONTROL], "no-cache");
    }
}

#[test]
fn another_entity_tag_is_answered_with_the_file() {
    let other = send(Method::GET, "/assets/style.css").headers()[ETAG].clone();
    let response = get_if_none_match("/assets/app.js", other.to_str().expect("a tag is ASCII"));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
}

#[test]
fn a_response_to_head_equals_the_one_to_get_without_its_body() {
    for path in ["/", "/assets/style.css", "/nowhere"] {
        let get = send(Method::GET, path);
        let head = send(Method::HEAD, path);
        assert_eq!(head.status(), get.status());
        assert!(head.body().is_empty());
        for name in get.headers().keys().filter(|name| *name != CONTENT_LENGTH) {
            assert_eq!(
                head.headers().get(name),
                get.headers().get(name),
                "{path}: {name}"
            );
        }
    }
}

#[test]
fn files_have_no_method_but_get_head_and_options() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let response = send(method, "/");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD, OPTIONS");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert!(
            text(&response).contains(r#""type":"https://socar.dev/problems/method-not-allowed""#)
        );
    }
    let options = send(Method::OPTIONS, "/");
    assert_eq!(options.status(), StatusCode::NO_CONTENT);
    assert_eq!(options.headers()[ALLOW], "GET, HEAD, OPTIONS");
}

#[test]
fn an_unknown_path_is_a_problem_for_every_method() {
    for path in [
        "/internal/sweep",
        "/internal/cars/1/hold",
        "/assets",
        "/assets/",
        "/assets/../Cargo.toml",
        "/index.html",
        "",
        "*",
    ] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let response = send(method, path);
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            assert_eq!(
                text(&response),
                r#"{"type":"https://socar.dev/problems/not-found","title":"Not Found","status":404,"detail":"nothing is served at this path"}"#
            );
        }
    }
}

#[test]
fn every_response_forbids_foreign_and_inline_scripts() {
    for path in ["/", "/assets/app.js", "/nowhere"] {
        let response = send(Method::GET, path);
        let policy = response.headers()[http::header::CONTENT_SECURITY_POLICY]
            .to_str()
            .expect("a policy is ASCII");
        assert!(
            policy.contains("default-src 'none'")
                && policy.contains("require-trusted-types-for 'script'"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
}

#[test]
fn the_files_comply_with_the_content_security_policy() {
    assert_eq!(
        PAGE.matches("<script").count(),
        quoted(PAGE, "<script type=\"module\" src=\"").len()
    );
    for forbidden in [
        "<style",
        " style=",
        " onclick=",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!PAGE.contains(forbidden), "{forbidden}");
    }
    for script in SCRIPTS.iter().chain([&WORDS]) {
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "http://",
            "https://",
        ] {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
    }
}

#[test]
fn every_text_of_the_page_exists_in_korean_and_in_english() {
    let keys: Vec<&str> = ["data-text=\"", "data-label=\"", "data-hint=\""]
        .iter()
        .flat_map(|name| quoted(PAGE, name))
        .collect();
    assert!(keys.len() > 40, "only {keys:?} were found");
    for key in keys {
        assert_eq!(WORDS.matches(&format!("'{key}': ")).count(), 2, "{key}");
    }
}

#[test]
fn every_page_may_read_that_an_address_is_wrong() {
    for method in [Method::GET, Method::OPTIONS] {
        let response = answer(&method, "/nowhere", &HeaderMap::new());
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }
}
