//! Where a gateway's URL says that it is asked.

use events::ReservationId;

/// Where a payment is undone: one step below the path at which it is made, with the same query.
#[must_use]
pub fn of_undo(url: &str, id: ReservationId) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (path, query) = url.split_at(end);
    format!("{}/{id}{query}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undo_is_asked_for_below_the_path_and_before_the_query() {
        for (url, undo) in [
            ("http://gw", "http://gw/7"),
            ("http://gw/pay", "http://gw/pay/7"),
            ("http://gw/pay/", "http://gw/pay/7"),
            ("http://gw/pay?shop=1", "http://gw/pay/7?shop=1"),
            ("http://gw/pay/?back=/a/", "http://gw/pay/7?back=/a/"),
        ] {
            assert_eq!(of_undo(url, ReservationId(7)), undo);
        }
    }
}
