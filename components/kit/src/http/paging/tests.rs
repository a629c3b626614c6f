use super::*;
use crate::http::{Response, hal};
use bytes::Bytes;
use http::Uri;
use random_inputs::fragments;
use serde_json::Value;

fn query(query: &str) -> Result<Page, Problem> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = format!("/things?{query}").parse().unwrap();
    Page::without_filters(&request, &["thingId", "name"])
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn a_wrong_parameter_is_a_400_problem_with_its_name() {
    for (wrong, field) in [
        ("page=-1", "page"),
        ("size=0", "size"),
        ("size=1001", "size"),
        ("size=x", "size"),
        ("sort=colour", "sort"),
        ("sort=,", "sort"),
        ("sort=desc", "sort"),
        ("sort=name,name", "sort"),
        ("sort=name,asc&sort=thingId&sort=name,desc", "sort"),
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
fn a_malformed_encoding_is_a_400_problem_with_the_name_of_the_parameter() {
    let filtered = |query: &str| {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = format!("/things?{query}").parse().unwrap();
        Page::with_filters(&request, &["thingId", "name"])
    };
    for (wrong, field) in [
        ("name=%ff", "name"),
        ("name=%zz", "name"),
        ("name=%", "name"),
        ("name=a%4", "name"),
        ("q=%C0%AF", "q"),
        ("q=%ED%A0%80", "q"),
        ("page=0&sort=%e9", "sort"),
        ("%ff=1", "%ff"),
        ("a%zz", "a%zz"),
    ] {
        let problem = filtered(wrong).unwrap_err().into_response("/things");
        assert_eq!(problem.status(), 400, "{wrong}");
        let body = body(&problem);
        assert_eq!(body["type"], "https://socar.dev/problems/bad-query");
        assert_eq!(body["field"], field, "{wrong}");
    }
    let page = filtered("name=%EA%B0%80+1%25&na%6De=&").unwrap();
    let filters: Vec<_> = page.filters().collect();
    assert_eq!(filters, [("name", "가 1%"), ("name", "")]);
}

#[test]
fn a_sort_may_name_several_columns() {
    let page = query("sort=name,desc&sort=thingId").unwrap();
    let order: Vec<_> = page
        .sort
        .iter()
        .map(|sort| (sort.column, sort.descending))
        .collect();
    assert_eq!(order, [("name", true), ("thingId", false)]);
    let page = query("sort=name,thingId,desc").unwrap();
    assert!(page.sort.iter().all(|sort| sort.descending));
}

#[test]
fn an_empty_sort_asks_for_no_order() {
    assert!(query("page=0&size=20&sort=").unwrap().sort.is_empty());
}

#[test]
fn a_page_far_beyond_the_last_is_empty_and_links_back() {
    for number in [5_000_000_000, u64::MAX] {
        let page = query(&format!("page={number}")).unwrap();
        assert_eq!(page.number, number);
        assert!(page.offset() >= number);
        let response = hal::page(&page, 5, "", "/things", "things", &[] as &[hal::Item<()>]);
        assert_eq!(body(&response)["page"]["number"], number);
        let links = &body(&response)["_links"];
        assert_eq!(links["prev"]["href"], "/things?page=0&size=20");
        assert!(links.get("next").is_none());
    }
}

#[test]
fn links_reach_all_pages_and_keep_the_filters() {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = Uri::from_static("/things?page=1&size=2&colour=red");
    let page = Page::with_filters(&request, &["thingId", "name"]).unwrap();
    let response = hal::page(
        &page,
        5,
        "http://h",
        "/things",
        "things",
        &[] as &[hal::Item<()>],
    );
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

#[test]
fn any_query_is_read_or_refused() {
    let query = fragments([
        "page",
        "size",
        "sort",
        "thingId",
        "name",
        "desc",
        "=",
        "&",
        ",",
        "%",
        "%26",
        "+",
        "0",
        "20",
        "18446744073709551616",
    ]);
    bolero::check!().with_generator(query).for_each(|query| {
        let mut request = Request::default();
        if let Ok(uri) = http::Uri::try_from([b"/things?", &query[..]].concat()) {
            *request.uri_mut() = uri;
        }
        match Page::with_filters(&request, &["thingId", "name"]) {
            Ok(page) => {
                assert!((1..=1000).contains(&page.size) && page.sort.len() <= 2);
                assert!(page.offset() >= page.number);
            }
            Err(problem) => assert_eq!(problem.status, 400),
        }
    });
}
