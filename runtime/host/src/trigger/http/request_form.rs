//! The form of a request, before anything is decided about it: what RFC 9112 refuses and the HTTP library accepts, and
//! one spelling of the path.

use ::http::header::{HOST, TRANSFER_ENCODING};
use ::http::uri::PathAndQuery;
use ::http::{HeaderValue, Request, Uri, Version};
use config::manifest::canonical_path;

use crate::problem::Problem;

/// Checks the headers that frame and address a request of any route.
///
/// # Errors
/// [`Problem::BadRequest`] if a request of HTTP/1.1 has not exactly one `Host` (RFC 9112, 3.2), or if its authority has
/// user information (RFC 9110, 4.2.4), and [`Problem::TransferCoding`] if a body has a coding that no part of the host decodes (RFC 9112, 6.1).
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let hosts = request.headers().get_all(HOST).iter().count();
    let is_addressed = match request.version() {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    };
    if !is_addressed || has_user_information(request) {
        return Err(Problem::BadRequest);
    }
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    match (codings.next().is_none_or(is_chunked), codings.next()) {
        (true, None) => Ok(()),
        _ => Err(Problem::TransferCoding),
    }
}

/// Whether the address of the request or its `Host` is of the form `user:password@host`: no client of HTTP sends it, and
/// links that a component makes from it lead to another host.
fn has_user_information<B>(request: &Request<B>) -> bool {
    let authority = request.uri().authority();
    let in_uri = authority.is_some_and(|authority| authority.as_str().contains('@'));
    let mut hosts = request.headers().get_all(HOST).iter();
    in_uri || hosts.any(|host| host.as_bytes().contains(&b'@'))
}

fn is_chunked(coding: &HeaderValue) -> bool {
    let coding = coding.as_bytes().trim_ascii();
    coding.eq_ignore_ascii_case(b"chunked")
}

/// The request with the one spelling of its path, in which routes are compared with it.
pub(super) fn with_canonical_path<B>(mut request: Request<B>) -> Request<B> {
    let canonical = canonical_path(request.uri().path());
    if canonical != request.uri().path()
        && let Some(uri) = with_path(request.uri(), &canonical)
    {
        *request.uri_mut() = uri;
    }
    request
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: Version, headers: &[(&'static str, &str)]) -> Result<(), Problem> {
        let request = Request::builder().version(version).uri("/cars");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        check(&request.body(()).unwrap())
    }

    #[test]
    fn a_request_of_http_1_1_has_exactly_one_host() {
        let one = [("host", "a")];
        let two = [("host", "a"), ("host", "a")];
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(checked(version, &one), Ok(()), "{version:?}");
            assert_eq!(checked(version, &two), Err(Problem::BadRequest));
        }
        assert_eq!(checked(Version::HTTP_11, &[("host", "")]), Ok(()));
        assert_eq!(checked(Version::HTTP_11, &[]), Err(Problem::BadRequest));
        assert_eq!(checked(Version::HTTP_10, &[]), Ok(()));
        assert_eq!(checked(Version::HTTP_2, &[]), Ok(()));
    }

    #[test]
    fn an_authority_has_no_user_information() {
        let from = |version: Version, target: &str, host: Option<&str>| {
            let request = Request::builder().version(version).uri(target);
            let request = match host {
                Some(host) => request.header(HOST, host),
                None => request,
            };
            check(&request.body(()).unwrap())
        };
        let user = "http://u:p@h/cars";
        for (version, target, host) in [
            (Version::HTTP_11, user, Some("h")),
            (Version::HTTP_11, "/cars", Some("u:p@h")),
            (Version::HTTP_11, "/cars", Some("@h")),
            (Version::HTTP_10, user, None),
            (Version::HTTP_2, user, None),
        ] {
            let checked = from(version, target, host);
            assert_eq!(checked, Err(Problem::BadRequest), "{target} {host:?}");
        }
        let path = "http://h/cars?owner=u@h";
        assert_eq!(from(Version::HTTP_2, path, None), Ok(()));
        assert_eq!(from(Version::HTTP_11, "/cars/@h", Some("h")), Ok(()));
    }

    #[test]
    fn a_body_has_no_transfer_coding_but_chunked() {
        let with = |codings: &[&'static str]| {
            let codings = codings.iter().map(|coding| ("transfer-encoding", *coding));
            let headers: Vec<_> = [("host", "a")].into_iter().chain(codings).collect();
            checked(Version::HTTP_11, &headers)
        };
        assert_eq!(with(&["chunked"]), Ok(()));
        assert_eq!(with(&["Chunked "]), Ok(()));
        for codings in [
            &["gzip, chunked"][..],
            &["gzip"],
            &["chunked, chunked"],
            &["gzip", "chunked"],
            &["chunked", "chunked"],
            &[""],
        ] {
            assert_eq!(with(codings), Err(Problem::TransferCoding), "{codings:?}");
        }
    }

    #[test]
    fn a_query_and_an_authority_are_kept() {
        let path = |uri: &str| {
            let request = Request::builder().uri(uri).body(()).unwrap();
            with_canonical_path(request).uri().to_string()
        };
        assert_eq!(path("/%63ars?a=%63"), "/cars?a=%63");
        assert_eq!(path("http://h:1/c%61rs?"), "http://h:1/cars?");
        assert_eq!(path("/cars"), "/cars");
        assert_eq!(path("*"), "*");
    }
}
