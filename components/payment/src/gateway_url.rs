//! The URL of the HTTP gateway, as it is configured and as requests need it.

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
