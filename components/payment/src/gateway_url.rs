//! The URLs of the HTTP gateway.

use events::ReservationId;

/// The URL of a refund: the URL of an approval with the reservation as last path segment, and the same query.
#[must_use]
pub fn refund_url(url: &str, id: ReservationId) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (path, query) = url.split_at(end);
    format!("{}/{id}{query}", path.trim_end_matches('/'))
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
            assert_eq!(refund_url(url, ReservationId(7)), refund);
        }
    }
}
