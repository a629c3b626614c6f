use super::*;
use ::http::Uri;
use futures::executor::block_on;
use paging::Page;
use serde_json::{Value, json};

fn ask(method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let route = |path: &[&str]| match path {
        ["things", "1"] => Some(Route {
            resource: (),
            methods: &[Method::GET, Method::PUT],
        }),
        _ => None,
    };
    block_on(serve(request, route, async |(), _| {
        Ok(etag::tagged(hal::found(&json!({"thingId": 1})), 7))
    }))
}

fn query(query: &str) -> Result<Page, Problem> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = format!("/things?{query}").parse().unwrap();
    Page::without_filters(&request, &["thingId", "name"])
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn an_unknown_path_is_a_404_problem() {
    let response = ask(Method::GET, "/nothing", &[]);
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], problem::MEDIA_TYPE);
    assert_eq!(
        body(&response)["type"],
        "https://socar.dev/problems/not-found"
    );
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let response = ask(Method::DELETE, "/things/1", &[]);
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, PUT, HEAD, OPTIONS");
}

#[test]
fn a_preflight_is_answered_without_asking_the_context() {
    let response = ask(
        Method::OPTIONS,
        "/things/1",
        &[("origin", "http://a.example")],
    );
    assert_eq!(response.status(), 204);
    assert!(
        response
            .headers()
            .contains_key("access-control-allow-methods")
    );
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let response = ask(Method::HEAD, "/things/1", &[]);
    assert_eq!(response.status(), 200);
    assert!(response.body().is_empty());
    assert_eq!(response.headers()["etag"], "\"7\"");
}

/// Hosts of WASI HTTP hold the body against the announced length, and over HTTP/2 the answer is lost.
#[test]
fn head_announces_no_length_that_no_body_has() {
    for path in ["/things/1", "/nothing"] {
        let response = ask(Method::HEAD, path, &[]);
        assert!(!response.headers().contains_key("content-length"), "{path}");
        let response = ask(Method::GET, path, &[]);
        let length = response.body().len().to_string();
        assert_eq!(response.headers()["content-length"], length, "{path}");
    }
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    for tag in ["\"7\"", "W/\"7\"", "\"1\", \"7\"", "*"] {
        assert_eq!(
            ask(Method::GET, "/things/1", &[("if-none-match", tag)]).status(),
            304,
            "{tag}"
        );
    }
    assert_eq!(
        ask(Method::GET, "/things/1", &[("if-none-match", "\"8\"")]).status(),
        200
    );
    let lines = [("if-none-match", "\"8\""), ("if-none-match", "\"7\"")];
    assert_eq!(ask(Method::GET, "/things/1", &lines).status(), 304);
}

/// Whoever takes the wrong way is told so, however much he carries.
#[test]
fn the_way_is_checked_before_the_size_of_the_body() {
    let status = |method: Method, path: &str| {
        let mut request = Request::new(Bytes::from(vec![b' '; BODY_LIMIT + 1]));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        let route = |path: &[&str]| {
            (path == ["things"]).then_some(Route {
                resource: (),
                methods: &[Method::PUT],
            })
        };
        let answer = serve(request, route, async |(), _| Ok(Response::default()));
        block_on(answer).status().as_u16()
    };
    assert_eq!(status(Method::POST, "/nothing"), 404);
    assert_eq!(status(Method::POST, "/things"), 405);
    assert_eq!(status(Method::PUT, "/things"), 413);
}

#[test]
fn links_name_the_scheme_that_the_client_speaks() {
    let base = |url: &str, forwarded: Option<&str>| {
        let mut request = Request::default();
        *request.uri_mut() = url.parse().unwrap();
        if let Some(scheme) = forwarded {
            let scheme = scheme.parse().unwrap();
            request.headers_mut().insert("x-forwarded-proto", scheme);
        }
        super::base_url(&request)
    };
    assert_eq!(base("http://h/cars", None), "http://h");
    assert_eq!(base("https://h/cars", None), "https://h");
    assert_eq!(base("http://h/cars", Some("https")), "https://h");
    assert_eq!(base("https://h/cars", Some("http")), "http://h");
    assert_eq!(base("https://h/cars", Some("gopher")), "https://h");
}

#[test]
fn wrong_paging_is_refused_by_the_name_of_the_parameter() {
    for (wrong, field) in [
        ("page=-1", "page"),
        ("size=0", "size"),
        ("size=1001", "size"),
        ("size=x", "size"),
        ("sort=colour", "sort"),
        ("sort=,", "sort"),
        ("sort=desc", "sort"),
        ("page=1&page=2", "page"),
        ("size=1&size=1", "size"),
        ("colour=red", "colour"),
    ] {
        let problem = query(wrong).unwrap_err().into_response("/things");
        assert_eq!(problem.status(), 400, "{wrong}");
        assert_eq!(body(&problem)["field"], field, "{wrong}");
    }
}

#[test]
fn a_sort_may_name_several_columns() {
    let page = query("sort=name,thingId,desc&sort=thingId").unwrap();
    let order: Vec<_> = page
        .sort
        .iter()
        .map(|sort| (sort.column, sort.descending))
        .collect();
    assert_eq!(
        order,
        [("name", true), ("thingId", true), ("thingId", false)]
    );
}

#[test]
fn an_empty_sort_is_none() {
    assert!(query("page=0&size=20&sort=").unwrap().sort.is_empty());
}

#[test]
fn a_page_beyond_every_number_is_a_page_like_any_other() {
    for number in [5_000_000_000, u64::MAX] {
        let page = query(&format!("page={number}")).unwrap();
        assert_eq!(page.number, number);
        assert!(page.offset() >= number);
        let response = hal::page(&page, 5, "", "/things", "things", vec![]);
        assert_eq!(body(&response)["page"]["number"], number);
        let links = &body(&response)["_links"];
        assert_eq!(links["prev"]["href"], "/things?page=0&size=20");
        assert!(links.get("next").is_none());
    }
}

#[test]
fn links_lead_through_all_pages_and_keep_the_filters() {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = Uri::from_static("/things?page=1&size=2&colour=red");
    let page = Page::with_filters(&request, &["thingId", "name"]).unwrap();
    let response = hal::page(&page, 5, "http://h", "/things", "things", vec![]);
    let links = &body(&response)["_links"];
    assert_eq!(
        links["next"]["href"],
        "http://h/things?colour=red&page=2&size=2"
    );
    assert_eq!(
        links["prev"]["href"],
        "http://h/things?colour=red&page=0&size=2"
    );
    assert_eq!(
        links["last"]["href"],
        "http://h/things?colour=red&page=2&size=2"
    );
    assert_eq!(body(&response)["page"]["totalPages"], 3);
}
