//! What the relay sends, and how it reads the answers.

use super::*;

#[test]
fn only_an_answer_about_the_event_counts() {
    let classify = |status: u16| {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, "20".parse().unwrap())]);
        classify(
            "http://cars",
            StatusCode::from_u16(status).unwrap(),
            &headers,
        )
    };
    for status in [429, 502, 503, 504] {
        let outage = classify(status);
        let wait = Some(Duration::from_secs(20));
        assert!(
            matches!(outage, HandlerError::Unavailable { retry_after, .. } if retry_after == wait),
            "{status}"
        );
    }
    for status in [401, 403, 404, 408, 425] {
        let unavailable = matches!(classify(status), HandlerError::Unavailable { .. });
        assert!(unavailable, "{status}");
    }
    for status in [400, 413, 415, 422] {
        assert!(
            matches!(classify(status), HandlerError::Invalid(_)),
            "{status}"
        );
    }
    for status in [409, 500, 501] {
        assert!(
            matches!(classify(status), HandlerError::Failed(_)),
            "{status}"
        );
    }
}
