//! What the relay sends, and how it reads the answers.

use super::*;

#[test]
fn only_an_answer_about_the_event_counts() {
    let answered = |status: u16, media_type: &str| {
        let headers = HeaderMap::from_iter([
            (header::RETRY_AFTER, "20".parse().unwrap()),
            (header::CONTENT_TYPE, media_type.parse().unwrap()),
        ]);
        let status = StatusCode::from_u16(status).unwrap();
        super::classify("http://cars", status, &headers)
    };
    let classify = |status| answered(status, "application/problem+json");
    for status in [301, 302, 307, 429, 502, 503, 504, 521, 522, 530, 599] {
        let outage = classify(status);
        let wait = Some(Duration::from_secs(20));
        assert!(
            matches!(outage, HandlerError::Unavailable { retry_after, .. } if retry_after == wait),
            "{status}"
        );
    }
    for status in [401, 403, 404, 405, 407, 408, 421, 425, 431] {
        let unavailable = matches!(classify(status), HandlerError::Unavailable { .. });
        assert!(unavailable, "{status}");
    }
    for status in [400, 413, 415, 422] {
        assert!(
            matches!(classify(status), HandlerError::Invalid(_)),
            "{status}"
        );
        let media_type = "Application/Problem+JSON; charset=utf-8";
        assert!(matches!(
            answered(status, media_type),
            HandlerError::Invalid(_)
        ));
        // The refusal of a proxy says nothing of the event.
        let of_proxy = answered(status, "text/html");
        assert!(matches!(of_proxy, HandlerError::Failed(_)), "{status}");
    }
    for status in [409, 500, 501] {
        assert!(
            matches!(classify(status), HandlerError::Failed(_)),
            "{status}"
        );
    }
}
