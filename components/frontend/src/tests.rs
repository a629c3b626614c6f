//! The responses of the screen, without a host.

use http::header::ACCEPT_ENCODING;

use super::*;

const PAGE: &str = include_str!("../assets/screen/index.html");

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
    assert!(text(&response).contains("<div id=\"screen\">"));
}

/// The paths of the files that the page names.
fn files_of_the_page() -> Vec<&'static str> {
    let files: Vec<_> = [quoted(PAGE, "src=\""), quoted(PAGE, "href=\"")].concat();
    assert!(files.len() >= 3, "{files:?}: a script, a style and an icon");
    files
}

fn script() -> &'static str {
    let files = files_of_the_page();
    let script = files.into_iter().find(|path| path.ends_with(".js"));
    script.expect("the page has a script")
}

fn get_with(path: &str, name: HeaderName, value: &str) -> Response<Bytes> {
    let value = HeaderValue::from_str(value).expect("a header value");
    answer(&Method::GET, path, &HeaderMap::from_iter([(name, value)]))
}

#[test]
fn every_file_that_the_page_or_a_script_loads_is_served() {
    let loader = send(Method::GET, script());
    let chunks = text(&loader).split("import(`./").skip(1);
    let chunks: Vec<String> = chunks
        .filter_map(|rest| rest.split('`').next())
        .map(|name| format!("/assets/{name}"))
        .collect();
    assert!(
        !chunks.is_empty(),
        "has the way of writing imports changed?"
    );
    let named = files_of_the_page().into_iter().map(str::to_owned);
    for path in named.chain(chunks) {
        assert_eq!(send(Method::GET, &path).status(), StatusCode::OK, "{path}");
    }
}

#[test]
fn every_kind_of_file_has_its_media_type() {
    for path in files_of_the_page() {
        let media_type = match path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(
            send(Method::GET, path).headers()[CONTENT_TYPE],
            media_type,
            "{path}"
        );
    }
}

#[test]
fn a_file_with_a_hash_in_its_name_is_kept_for_ever_and_the_page_is_revalidated() {
    let caching = |path| send(Method::GET, path).headers()[CACHE_CONTROL].clone();
    assert_eq!(caching(script()), "public, max-age=31536000, immutable");
    for path in ["/", "/docs", "/assets/icon.svg", "/openapi.json"] {
        assert_eq!(caching(path), "no-cache", "{path}");
    }
}

#[test]
fn a_compressed_file_is_sent_to_a_client_that_accepts_it() {
    let plain = send(Method::GET, script());
    for (accepted, encoding) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip;q=1.0, br;q=0.5", Some("gzip")),
        ("GZIP", Some("gzip")),
        ("br;q=0, gzip;q=0", None),
        ("identity", None),
        ("", None),
    ] {
        let response = get_with(script(), ACCEPT_ENCODING, accepted);
        let sent = response.headers().get(CONTENT_ENCODING);
        assert_eq!(sent.map(HeaderValue::as_bytes), encoding.map(str::as_bytes));
        assert_eq!(response.headers()[VARY], "accept-encoding");
        assert_eq!(
            response.headers()[CONTENT_LENGTH],
            response.body().len().to_string().as_str()
        );
        if encoding.is_some() {
            assert!(response.body().len() < plain.body().len() / 2, "{accepted}");
            assert_ne!(response.headers()[ETAG], plain.headers()[ETAG]);
        }
    }
    assert!(!plain.headers().contains_key(CONTENT_ENCODING));
    let page = get_with("/", ACCEPT_ENCODING, "br");
    assert_eq!(page.headers()[VARY], "accept, accept-encoding");
    assert_eq!(page.headers()[CONTENT_ENCODING], "br");
}

#[test]
fn a_matching_entity_tag_is_answered_with_304() {
    let first = send(Method::GET, "/");
    let tag = first.headers()[ETAG].to_str().expect("a tag is ASCII");
    for tags in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let again = get_if_none_match("/", &tags);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{tags}");
        assert!(again.body().is_empty());
        assert_eq!(again.headers()[ETAG], tag);
        assert_eq!(again.headers()[CACHE_CONTROL], "no-cache");
    }
}

#[test]
fn a_condition_without_the_current_tag_is_answered_with_412() {
    let tag = send(Method::GET, "/openapi.json").headers()[ETAG].clone();
    let current = tag.to_str().expect("a tag is ASCII");
    let get = |if_match: &str| get_with("/openapi.json", IF_MATCH, if_match);
    for tags in ["\"777\"", "777", ""] {
        let refused = get(tags);
        assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED, "{tags}");
        assert_eq!(refused.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(refused.headers()["access-control-allow-origin"], "*");
        assert!(text(&refused).contains("/problems/precondition-failed\""));
    }
    for tags in [current.to_owned(), format!("\"777\", W/{current}")] {
        assert_eq!(get(&tags).status(), StatusCode::OK, "{tags}");
    }
}

#[test]
fn a_tag_is_found_in_any_line_of_if_none_match() {
    let tag = send(Method::GET, "/").headers()[ETAG].clone();
    let mut headers = HeaderMap::new();
    let other = HeaderValue::from_bytes(b"\"\xff\"").expect("obs-text is allowed in a tag");
    headers.append(IF_NONE_MATCH, other);
    headers.append(IF_NONE_MATCH, tag);
    let response = answer(&Method::GET, "/", &headers);
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
}

#[test]
fn another_entity_tag_is_answered_with_the_file() {
    let other = send(Method::GET, "/assets/icon.svg").headers()[ETAG].clone();
    let response = get_if_none_match("/", other.to_str().expect("a tag is ASCII"));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
}

#[test]
fn a_response_to_head_equals_the_one_to_get_without_its_body() {
    for path in ["/", script(), "/nowhere"] {
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
fn slashes_at_either_end_of_a_path_do_not_count() {
    for path in ["/", "/docs", "/openapi.json", "/profile/cars", script()] {
        let expected = send(Method::GET, path);
        for spelling in [format!("{path}/"), format!("/{path}"), format!("/{path}//")] {
            let response = send(Method::GET, &spelling);
            assert_eq!(response.body(), expected.body(), "{spelling}");
            assert_eq!(response.headers(), expected.headers(), "{spelling}");
        }
    }
    let api = get_with("//", ACCEPT, "application/hal+json");
    assert_eq!(api.headers()[CONTENT_TYPE], "application/hal+json");
}

#[test]
fn links_of_the_documents_begin_with_the_prefix_of_a_proxy() {
    let behind = |path: &str, prefix: &str| {
        let prefix = HeaderValue::from_str(prefix).expect("a header value");
        let headers = [
            (HeaderName::from_static("x-forwarded-prefix"), prefix),
            (ACCEPT, HeaderValue::from_static("application/hal+json")),
        ];
        answer(&Method::GET, path, &HeaderMap::from_iter(headers))
    };
    for (path, before, link) in [
        ("/", "\"href\": \"", "/cars{?page,size,sort}"),
        ("/", "\"href\": \"", "/"),
        ("/profile", "\"href\": \"", "/profile/cars"),
        ("/profile/cars", "\"href\": \"", "/profile/cars"),
        ("/openapi.json", "\"url\": \"", "/"),
    ] {
        let response = behind(path, "/fleet/, /b");
        let links = quoted(text(&response), before);
        let expected = format!("/fleet/b{link}");
        assert!(links.contains(&expected.as_str()), "{path}: {links:?}");
        assert!(!links.contains(&link), "{path}: {links:?}");
        assert_eq!(
            response.headers()[CONTENT_LENGTH],
            response.body().len().to_string().as_str()
        );
        let plain = behind(path, "no path");
        assert!(quoted(text(&plain), before).contains(&link), "{path}");
        assert_ne!(plain.headers()[ETAG], response.headers()[ETAG]);
    }
}

#[test]
fn every_response_forbids_foreign_and_inline_scripts() {
    for path in ["/", script(), "/nowhere"] {
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
fn the_page_complies_with_the_content_security_policy() {
    assert_eq!(
        PAGE.matches("<script").count(),
        quoted(PAGE, "<script type=\"module\" crossorigin src=\"").len()
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
}

#[test]
fn every_page_may_read_that_an_address_is_wrong() {
    for method in [Method::GET, Method::OPTIONS] {
        let response = answer(&method, "/nowhere", &HeaderMap::new());
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }
}

#[test]
fn the_root_is_the_entry_point_of_the_api_for_a_program_and_the_page_for_a_browser() {
    let media_type = |accept: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_str(accept).expect("a header"));
        }
        let response = answer(&Method::GET, "/", &headers);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[VARY], "accept, accept-encoding");
        response.headers()[CONTENT_TYPE]
            .to_str()
            .expect("ASCII")
            .to_owned()
    };
    for program in [
        "application/hal+json",
        "application/json, text/plain, */*",
        "text/html;q=0.5, application/hal+json;q=0.8",
        "Application/HAL+JSON",
    ] {
        assert_eq!(
            media_type(Some(program)),
            "application/hal+json",
            "{program}"
        );
    }
    for browser in [
        None,
        Some("*/*"),
        Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        Some("text/html, application/json"),
        Some("application/json;q=x"),
    ] {
        assert_eq!(
            media_type(browser),
            "text/html; charset=utf-8",
            "{browser:?}"
        );
    }
}

#[test]
fn the_documents_of_the_api_may_be_read_by_every_page() {
    for (path, media_type) in [
        ("/openapi.json", "application/json"),
        ("/asyncapi.json", "application/json"),
        ("/profile", "application/hal+json"),
        ("/profile/cars", "application/alps+json"),
    ] {
        let response = send(Method::GET, path);
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[CONTENT_TYPE], media_type);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let exposed = &response.headers()["access-control-expose-headers"];
        assert!(exposed.to_str().expect("ASCII").contains("etag"));
    }
    let page = send(Method::GET, "/docs");
    assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(!page.headers().contains_key("access-control-allow-origin"));
}

/// A browser asks before it sends `traceparent` or `authorization`, and keeps a request from its page without these answers.
#[test]
fn a_page_may_ask_for_a_document_with_the_headers_of_the_api() {
    for path in ["/openapi.json", "/asyncapi.json", "/profile", "/"] {
        let response = send(Method::OPTIONS, path);
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{path}");
        let allowed =
            |what: &str| response.headers()[format!("access-control-allow-{what}")].clone();
        assert_eq!(allowed("origin"), "*");
        assert_eq!(allowed("methods"), "GET, HEAD, OPTIONS");
        assert_eq!(allowed("headers"), REQUEST_HEADERS);
    }
    let page = send(Method::OPTIONS, "/docs");
    assert!(!page.headers().contains_key("access-control-allow-origin"));
}

#[test]
fn every_link_of_the_entry_point_that_is_a_file_is_served() {
    let root = include_str!("../assets/documents/root.json");
    let paths: Vec<_> = quoted(root, "\"href\": \"");
    assert!(paths.len() > 8, "{paths:?}");
    let of_contexts = [
        "/cars",
        "/reservations",
        "/payments",
        "/messages",
        "/carviews",
    ];
    for path in paths {
        if !of_contexts.iter().any(|context| path.starts_with(context)) {
            assert_eq!(send(Method::GET, path).status(), StatusCode::OK, "{path}");
        }
    }
}
