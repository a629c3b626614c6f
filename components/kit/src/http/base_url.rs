//! The scheme and authority of absolute links.

use super::message::Request;
use http::uri::Authority;

/// Scheme and authority under which the client reaches the platform, such as `https://example.com`;
/// empty if the authority is unknown or contains other characters than those of a host and a port.
#[must_use]
pub fn base_url(request: &Request) -> String {
    let text = |name: &str| request.headers().get(name)?.to_str().ok();
    let scheme = text("x-forwarded-proto")
        .and_then(http_scheme)
        .or_else(|| request.uri().scheme_str().and_then(http_scheme))
        .unwrap_or("http");
    let authority = text("x-forwarded-host")
        .or_else(|| text("host"))
        .or_else(|| request.uri().authority().map(Authority::as_str))
        .filter(|authority| authority.bytes().all(is_authority_byte));
    authority.map_or_else(String::new, |authority| format!("{scheme}://{authority}"))
}

fn http_scheme(scheme: &str) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|known| *known == scheme)
}

fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_the_scheme_that_the_client_uses() {
        let base_url = |url: &str, forwarded: Option<&str>| {
            let mut request = Request::default();
            *request.uri_mut() = url.parse().unwrap();
            if let Some(scheme) = forwarded {
                let scheme = scheme.parse().unwrap();
                request.headers_mut().insert("x-forwarded-proto", scheme);
            }
            base_url(&request)
        };
        assert_eq!(base_url("http://h/cars", None), "http://h");
        assert_eq!(base_url("https://h/cars", None), "https://h");
        assert_eq!(base_url("http://h/cars", Some("https")), "https://h");
        assert_eq!(base_url("https://h/cars", Some("http")), "http://h");
        assert_eq!(base_url("https://h/cars", Some("gopher")), "https://h");
    }
}
