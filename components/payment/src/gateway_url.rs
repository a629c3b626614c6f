//! The URL of the HTTP gateway, as it is configured and as requests need it.

use crate::domain::GatewayId;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use events::ReservationId;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The characters of a URL that a request must have in encoded form, besides those beyond ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

/// The URL of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayUrl {
    /// Without user information, and in ASCII.
    url: String,
    /// The value of `Authorization`, if the URL has user information.
    authorization: Option<String>,
}

impl GatewayUrl {
    /// Reads the configured URL. Its user information becomes Basic credentials: a request has no other place for them
    /// (RFC 9110, 4.2.4).
    #[must_use]
    pub fn new(text: &str) -> Self {
        let start = text.find("://").map_or(0, |scheme| scheme + 3);
        let (scheme, rest) = text.split_at(start);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let basic = |user: &str| {
            let decoded: Vec<u8> = percent_decode_str(user).collect();
            format!("Basic {}", BASE64_STANDARD.encode(decoded))
        };
        let path = utf8_percent_encode(path, ENCODED);
        Self {
            url: format!("{scheme}{host}{path}"),
            authorization: user.map(basic),
        }
    }

    /// The URL of an approval.
    #[must_use]
    pub fn approval(&self) -> &str {
        &self.url
    }

    /// The URL of a refund: the URL of an approval with the reservation as last path segment, and the same query.
    #[must_use]
    pub fn refund(&self, id: ReservationId) -> String {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        let (path, query) = self.url.split_at(end);
        format!("{}/{id}{query}", path.trim_end_matches('/'))
    }

    /// The identity of the gateway: scheme, host, port and path. Neither the user information nor the query is part of it,
    /// because a credential may be changed, and the identity is stored and logged.
    ///
    /// The path is part of it: at another path the gateway may know nothing of a payment, and answer 404, which means
    /// that it holds no money.
    #[must_use]
    pub fn id(&self) -> GatewayId {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        let address = self.url[..end].trim_end_matches('/');
        let start = address.find("://").map_or(0, |scheme| scheme + 3);
        let end = address[start..]
            .find('/')
            .map_or(address.len(), |path| start + path);
        let (origin, path) = address.split_at(end);
        let origin = origin.to_ascii_lowercase();
        let default_port = match origin.starts_with("https:") {
            true => ":443",
            false => ":80",
        };
        let origin = origin.strip_suffix(default_port).unwrap_or(&origin);
        GatewayId::remote(format!("{origin}{path}"))
    }

    /// The value of `Authorization`.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refund_url_extends_the_path_and_keeps_the_query() {
        for (url, refund) in [
            ("http://gw", "http://gw/7"),
            ("http://gw/pay", "http://gw/pay/7"),
            ("http://gw/pay/", "http://gw/pay/7"),
            ("http://gw/pay?shop=1", "http://gw/pay/7?shop=1"),
            ("http://gw/pay/?back=/a/", "http://gw/pay/7?back=/a/"),
        ] {
            assert_eq!(GatewayUrl::new(url).refund(ReservationId(7)), refund);
        }
    }

    #[test]
    fn the_identity_is_the_address_without_credentials_and_query() {
        let id = |url: &str| GatewayUrl::new(url).id();
        for (url, identity) in [
            ("http://gw/pay", "http://gw/pay"),
            ("HTTP://u:p@GW:80/pay/?key=1", "http://gw/pay"),
            ("https://gw:443", "https://gw"),
            ("https://gw:80/Pay#x", "https://gw:80/Pay"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
        ] {
            assert_eq!(id(url).as_str(), identity);
        }
        assert_ne!(id("http://gw/pay"), id("https://gw/pay"));
        assert_ne!(id("http://gw/pay"), id("http://gw/pay/2"));
    }

    #[test]
    fn credentials_are_sent_as_such_and_not_in_the_host() {
        let url = GatewayUrl::new("http://u:p%40ss@localhost:23900/pay?k=@1");
        assert_eq!(url.approval(), "http://localhost:23900/pay?k=@1");
        assert_eq!(url.authorization(), Some("Basic dTpwQHNz"));
        assert_eq!(GatewayUrl::new("http://gw/a@b").authorization(), None);
    }

    #[test]
    fn a_path_in_any_script_is_encoded() {
        let url = GatewayUrl::new("http://gw/결제 1?k=%41");
        assert_eq!(url.approval(), "http://gw/%EA%B2%B0%EC%A0%9C%201?k=%41");
        assert!(url.approval().parse::<http::Uri>().is_ok());
    }
}
