//! The form of a request, before anything is decided about it: what RFC 9112 refuses and the HTTP library accepts, and
//! one spelling of the path.

use ::http::header::{HOST, TRANSFER_ENCODING};
use ::http::uri::{Authority, PathAndQuery};
use ::http::{HeaderValue, Method, Request, Uri, Version};
use config::manifest::{canonical_path, is_of_host, without_outer_slashes};

use crate::problem::Problem;

/// Checks the headers that frame and address a request of any route.
///
/// # Errors
/// [`Problem::BadRequest`] if a request of HTTP/1.1 has not exactly one `Host` (RFC 9112, 3.2), if its target is an authority
/// and its method is not CONNECT (RFC 9112, 3.2.3), or if an authority has user information (RFC 9110, 4.2.4) or is malformed,
/// and [`Problem::TransferCoding`] if a body has a coding that no part of the host decodes (RFC 9112, 6.1).
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let hosts = request.headers().get_all(HOST).iter().count();
    let is_addressed = match request.version() {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    };
    if !is_addressed
        || is_bare_authority(request)
        || has_user_information(request)
        || has_malformed_authority(request)
    {
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

/// Whether the target of the request is an authority without a scheme, such as `cars` in `GET cars HTTP/1.1`.
fn is_bare_authority<B>(request: &Request<B>) -> bool {
    let uri = request.uri();
    request.method() != Method::CONNECT && uri.scheme().is_none() && uri.authority().is_some()
}

/// Whether the address of the request or its `Host` is no host with an optional port. An empty `Host` names none, and a port
/// may be empty (RFC 3986, 3.2.3).
fn has_malformed_authority<B>(request: &Request<B>) -> bool {
    let in_uri = request.uri().authority();
    let mut hosts = request.headers().get_all(HOST).iter();
    in_uri.is_some_and(|authority| !is_host_and_port(authority))
        || hosts.any(|host| !host.is_empty() && !is_host(host))
}

fn is_host(value: &HeaderValue) -> bool {
    let text = value.to_str().ok();
    let authority = text.and_then(|text| text.parse::<Authority>().ok());
    authority.is_some_and(|authority| is_host_and_port(&authority))
}

fn is_host_and_port(authority: &Authority) -> bool {
    let behind = authority.as_str().strip_prefix(authority.host());
    let behind = behind.unwrap_or_default();
    let is_port = |port: &str| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        port.is_empty() || (is_number && port.parse::<u16>().is_ok())
    };
    let has_port = behind.strip_prefix(':').map_or(behind.is_empty(), is_port);
    !authority.host().is_empty() && has_port
}

fn is_chunked(coding: &HeaderValue) -> bool {
    let coding = coding.as_bytes().trim_ascii();
    coding.eq_ignore_ascii_case(b"chunked")
}

/// The request with the one spelling of its path, in which routes are compared with it. A component gets the slashes at the
/// end of a path as they were sent, and the host ignores those of its own paths.
pub(super) fn with_canonical_path<B>(mut request: Request<B>) -> Request<B> {
    let canonical = canonical_path(request.uri().path());
    let inner = without_outer_slashes(&canonical);
    let canonical = match is_of_host(inner) {
        true => inner,
        false => &*canonical,
    };
    if canonical != request.uri().path()
        && let Some(uri) = with_path(request.uri(), canonical)
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
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        let with = |host: &str| checked(Version::HTTP_11, &[("host", host)]);
        for host in [
            "a",
            "a:",
            "a:80",
            "a:65535",
            "192.0.2.1:3000",
            "[::1]",
            "[::1]:80",
        ] {
            assert_eq!(with(host), Ok(()), "{host}");
        }
        for host in [
            "a:b", "a:65536", "a:99999", "a:+80", ":80", "a b", "a/b", "[::1]:x",
        ] {
            assert_eq!(with(host), Err(Problem::BadRequest), "{host}");
        }
    }

    #[test]
    fn only_connect_has_a_target_without_a_scheme_and_a_path() {
        let of = |method: Method, target: &str| {
            let request = Request::builder().method(method).uri(target);
            check(&request.header(HOST, "h").body(()).unwrap())
        };
        for target in ["cars", "h:80"] {
            assert_eq!(
                of(Method::GET, target),
                Err(Problem::BadRequest),
                "{target}"
            );
        }
        assert_eq!(of(Method::CONNECT, "h:80"), Ok(()));
        assert_eq!(of(Method::OPTIONS, "*"), Ok(()));
        assert_eq!(of(Method::GET, "http://h/cars"), Ok(()));
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

    #[test]
    fn slashes_at_either_end_of_a_path_of_the_host_do_not_count() {
        let path = |uri: &str| {
            let request = Request::builder().uri(uri).body(()).unwrap();
            with_canonical_path(request).uri().to_string()
        };
        for (sent, expected) in [
            ("/livez/", "/livez"),
            ("//readyz//?verbose", "/readyz?verbose"),
            ("/identity/grant/", "/identity/grant"),
            ("/operations/breakers/?a=/", "/operations/breakers?a=/"),
            ("/cars/1/", "/cars/1/"),
            ("//cars", "//cars"),
        ] {
            assert_eq!(path(sent), expected, "{sent}");
        }
    }
}
