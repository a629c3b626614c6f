//! The authority of a request: the URL that a component receives is always complete.

use ::http::header::HOST;
use ::http::uri::{Authority, PathAndQuery, Scheme};
use ::http::{Request, Uri, Version};

/// Completes the URI with the authority of the request: the authority of the URI, or else the `Host` header. Returns
/// `None` when the authority is ambiguous or invalid.
///
/// An authority in the request line of HTTP/1 takes precedence over `Host`, which is rewritten (RFC 9112, 3.2.2). Over
/// HTTP/2 the same client sends both, so a difference is an error (RFC 9113, 8.3.1). An empty `Host` means that the
/// authority has no host name (RFC 9112, 3.2).
pub(super) fn absolute<B>(mut request: Request<B>) -> Option<Request<B>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let mut hosts = request.headers().get_all(HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return None,
        (Some(host), None) if !host.is_empty() => {
            Some(host.to_str().ok()?.parse::<Authority>().ok()?)
        }
        _ => None,
    };
    let can_contradict = request.version() >= Version::HTTP_2;
    let authority = match (named, parts.authority.take()) {
        (Some(host), Some(authority)) if can_contradict && host != authority => return None,
        (_, Some(authority)) => authority,
        (Some(host), None) => host,
        (None, None) => Authority::from_static("localhost"),
    };
    let host = authority.as_str().parse().ok()?;
    request.headers_mut().insert(HOST, host);
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
    }
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the URL and the `Host` header that a component receives.
    fn completed(version: Version, target: &str, hosts: &[&str]) -> Option<(String, String)> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let request = absolute(request.body(()).unwrap())?;
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        assert_eq!(request.headers().get_all(HOST).iter().count(), 1);
        Some((request.uri().to_string(), host))
    }

    fn expected(url: &str, host: &str) -> Option<(String, String)> {
        Some((url.to_owned(), host.to_owned()))
    }

    #[test]
    fn the_host_header_completes_a_path() {
        let completed = |hosts: &[&str]| completed(Version::HTTP_11, "/cars?x=1", hosts);
        assert_eq!(
            completed(&["a:80"]),
            expected("http://a:80/cars?x=1", "a:80")
        );
        for none in [&[][..], &[""]] {
            let localhost = expected("http://localhost/cars?x=1", "localhost");
            assert_eq!(completed(none), localhost, "{none:?}");
        }
    }

    #[test]
    fn a_request_line_with_an_authority_overrules_the_host_header() {
        let completed = |hosts: &[&str]| completed(Version::HTTP_11, "http://a/cars", hosts);
        for hosts in [&["a"][..], &["b"], &[]] {
            assert_eq!(
                completed(hosts),
                expected("http://a/cars", "a"),
                "{hosts:?}"
            );
        }
    }

    #[test]
    fn over_http_2_the_authority_and_the_host_header_must_agree() {
        let completed = |hosts: &[&str]| completed(Version::HTTP_2, "http://a/cars", hosts);
        assert_eq!(completed(&["a"]), expected("http://a/cars", "a"));
        assert_eq!(completed(&[]), expected("http://a/cars", "a"));
        assert_eq!(completed(&["b"]), None);
    }

    #[test]
    fn duplicate_and_invalid_host_headers_are_rejected() {
        for target in ["/cars", "http://a/cars"] {
            assert_eq!(completed(Version::HTTP_11, target, &["a", "a"]), None);
            assert_eq!(completed(Version::HTTP_11, target, &["a b"]), None);
        }
    }
}
