//! What a browser, a cache and a curious stranger get from the screen, without a host.

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

fn ask(method: Method, path: &str) -> Response<Bytes> {
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
    std::str::from_utf8(response.body()).expect("everything we serve is UTF-8")
}

/// What stands between `before` and the next quote, each time `before` occurs.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split(['"', '\'']).next())
        .collect()
}

#[test]
fn the_root_is_the_page() {
    let response = ask(Method::GET, "/");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(
        response.headers()[CONTENT_LENGTH],
        response.body().len().to_string().as_str()
    );
    assert!(text(&response).contains("<h1>SOCAR</h1>"));
}

#[test]
fn whatever_the_page_and_its_scripts_load_is_served() {
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
        assert_eq!(ask(Method::GET, &path).status(), StatusCode::OK, "{path}");
    }
}

#[test]
fn scripts_and_styles_say_what_they_are() {
    assert_eq!(
        ask(Method::GET, "/assets/app.js").headers()[CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(
        ask(Method::GET, "/assets/style.css").headers()[CONTENT_TYPE],
        "text/css; charset=utf-8"
    );
    assert_eq!(
        ask(Method::GET, "/assets/icon.svg").headers()[CONTENT_TYPE],
        "image/svg+xml"
    );
}

#[test]
fn a_browser_that_has_the_file_is_not_sent_it_again() {
    let first = ask(Method::GET, "/assets/app.js");
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
fn a_browser_that_has_another_file_is_sent_this_one() {
    let other = ask(Method::GET, "/assets/style.css").headers()[ETAG].clone();
    let response = get_if_none_match("/assets/app.js", other.to_str().expect("a tag is ASCII"));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
}

#[test]
fn head_answers_like_get_without_a_body() {
    for path in ["/", "/assets/style.css", "/nowhere"] {
        let get = ask(Method::GET, path);
        let head = ask(Method::HEAD, path);
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
fn the_screen_can_only_be_read() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let response = ask(method, "/");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD, OPTIONS");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert!(
            text(&response).contains(r#""type":"https://socar.dev/problems/method-not-allowed""#)
        );
    }
    let options = ask(Method::OPTIONS, "/");
    assert_eq!(options.status(), StatusCode::NO_CONTENT);
    assert_eq!(options.headers()[ALLOW], "GET, HEAD, OPTIONS");
}

#[test]
fn what_nobody_serves_is_a_problem_whatever_the_verb() {
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
            let response = ask(method, path);
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
fn every_answer_forbids_foreign_and_inline_scripts() {
    for path in ["/", "/assets/app.js", "/nowhere"] {
        let response = ask(Method::GET, path);
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
fn the_page_keeps_to_its_own_policy() {
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
fn every_word_of_the_page_exists_in_korean_and_in_english() {
    let keys: Vec<&str> = ["data-text=\"", "data-label=\"", "data-hint=\""]
        .iter()
        .flat_map(|name| quoted(PAGE, name))
        .collect();
    assert!(keys.len() > 40, "only {keys:?} were found");
    for key in keys {
        assert_eq!(WORDS.matches(&format!("'{key}': ")).count(), 2, "{key}");
    }
}
