//! The start of absolute links.

use super::{
    forwarded::{Forwarded, authority, http_scheme},
    message::Request,
};
use http::uri::Authority;

/// The start of every absolute link: scheme and authority under which the client reaches the platform, such as
/// `https://example.com`, and the path prefix of a proxy. Without a usable authority, links begin with the path.
#[must_use]
pub fn base_url(request: &Request) -> String {
    let forwarded = Forwarded::from_headers(request.headers());
    let scheme = forwarded
        .scheme
        .or_else(|| request.uri().scheme_str().and_then(http_scheme))
        .unwrap_or("http");
    let host = request.headers().get(http::header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(Authority::as_str));
    let authority = forwarded.authority.or_else(|| host.and_then(authority));
    let origin = authority.map_or_else(String::new, |authority| format!("{scheme}://{authority}"));
    origin + &forwarded.prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use bolero::produce;
    use random_inputs::fragments;

    fn base(url: &str, headers: &[(&'static str, &str)]) -> String {
        let mut request = Request::default();
        *request.uri_mut() = url.parse().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        base_url(&request)
    }

    #[test]
    fn links_have_the_scheme_that_the_client_uses() {
        let proto = |scheme| [("x-forwarded-proto", scheme)];
        assert_eq!(base("http://h/cars", &[]), "http://h");
        assert_eq!(base("https://h/cars", &[]), "https://h");
        assert_eq!(base("http://h/cars", &proto("https")), "https://h");
        assert_eq!(base("https://h/cars", &proto("http")), "http://h");
        assert_eq!(base("https://h/cars", &proto("gopher")), "https://h");
    }

    #[test]
    fn of_several_proxies_the_outermost_one_counts() {
        let hosts = ("x-forwarded-host", "cars.example, proxy2.internal");
        let schemes = ("x-forwarded-proto", "https, http");
        assert_eq!(base("http://h/", &[hosts, schemes]), "https://cars.example");
        let lines = [
            ("x-forwarded-host", "cars.example"),
            ("x-forwarded-host", "proxy2"),
        ];
        assert_eq!(base("http://h/", &lines), "http://cars.example");
    }

    #[test]
    fn what_is_no_host_is_replaced_by_the_host_header() {
        for unusable in [
            "",
            " ",
            ",",
            "a b",
            "user@evil",
            "h/path",
            ":80",
            "예.kr",
            "h:99999999",
        ] {
            let headers = [("host", "own:3000"), ("x-forwarded-host", unusable)];
            assert_eq!(base("/cars", &headers), "http://own:3000", "{unusable:?}");
        }
        assert_eq!(base("/cars", &[("host", "a b")]), "");
    }

    #[test]
    fn an_empty_port_is_no_part_of_a_link() {
        assert_eq!(base("/cars", &[("host", "own:")]), "http://own");
        assert_eq!(base("/cars", &[("host", "[::1]:")]), "http://[::1]");
        assert_eq!(base("/cars", &[("host", ":")]), "");
    }

    #[test]
    fn port_and_prefix_are_part_of_the_address() {
        let links = |headers: &[(&'static str, &str)]| {
            let host = [
                ("x-forwarded-host", "cars.example"),
                ("x-forwarded-proto", "https"),
            ];
            base("http://h/", &[&host, headers].concat())
        };
        let port = "x-forwarded-port";
        let prefix = "x-forwarded-prefix";
        assert_eq!(links(&[(port, "8443")]), "https://cars.example:8443");
        assert_eq!(links(&[(port, "443")]), "https://cars.example");
        assert_eq!(links(&[(port, "x")]), "https://cars.example");
        assert_eq!(links(&[(prefix, "/fleet")]), "https://cars.example/fleet");
        assert_eq!(links(&[(prefix, "/a/, /b")]), "https://cars.example/a/b");
        for unusable in ["", "/", "fleet", "//evil", "/a b", "/a?b"] {
            assert_eq!(
                links(&[(prefix, unusable)]),
                "https://cars.example",
                "{unusable}"
            );
        }
    }

    #[test]
    fn the_standard_header_precedes_the_others() {
        let other = ("x-forwarded-host", "other.example");
        let forwarded = |value| base("http://h/", &[("forwarded", value), other]);
        assert_eq!(
            forwarded("for=192.0.2.1;Host=\"cars.example:8443\";proto=HTTPS, host=proxy2"),
            "https://cars.example:8443"
        );
        assert_eq!(forwarded("proto=https"), "https://other.example");
        assert_eq!(forwarded("host=\"a b\""), "http://other.example");
    }

    #[test]
    fn any_forwarded_headers_make_well_formed_links() {
        const NAMES: [&str; 6] = [
            "forwarded",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "host",
        ];
        let value = fragments([
            "for=",
            "host=",
            "proto=",
            "https",
            "cars.example",
            ":8443",
            "\"",
            "\\",
            ";",
            ",",
            "/fleet",
            "[::1]",
            "@",
            "%",
            "?",
            "#",
            " ",
        ]);
        let headers = produce::<Vec<(usize, Vec<u8>)>>()
            .with()
            .values((0..NAMES.len(), value))
            .len(0..6_usize);
        bolero::check!()
            .with_generator(headers)
            .for_each(|headers| {
                let mut request = Request::default();
                for (name, value) in headers {
                    if let Ok(value) = http::HeaderValue::from_bytes(value) {
                        request.headers_mut().append(NAMES[*name], value);
                    }
                }
                let link = format!("{}/cars/1", base_url(&request));
                assert!(link.parse::<http::Uri>().is_ok(), "{link}");
            });
    }
}
