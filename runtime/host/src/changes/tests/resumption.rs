//! A listener that comes back with a position: what it gets, and when its position is gone.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_comes_back_misses_and_repeats_nothing() {
    let log = ConsumedLog::open().await;
    let mut client = log.listen(None).await;
    // Before its first change it has a position, too.
    let mut positions = vec![client.next().await.unwrap().id.unwrap()];
    for number in 1..=30 {
        let stream = if number % 3 == 0 { PAYMENTS } else { CARS };
        log.change(stream, [number]).await;
        let (numbers, position) = client.changes(1).await;
        assert_eq!(numbers, [number]);
        positions.push(position);
    }
    drop(client);
    for (seen, position) in positions.iter().enumerate() {
        let mut client = log.listen(Some(position)).await;
        let missed: Vec<_> = (seen + 1..=30).collect();
        assert_eq!(client.changes(missed.len()).await.0, missed);
    }
    let mut client = log.listen(positions.last().map(String::as_str)).await;
    client.next().await;
    log.change(CARS, [31]).await;
    assert_eq!(client.changes(1).await.0, [31]);
}

/// A listener that reads the log itself would get no heartbeats, and each change would be read once for each such listener.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_comes_back_is_served_by_the_feed() {
    let log = ConsumedLog::open().await;
    let mut client = log.listen(None).await;
    client.next().await;
    log.change(CARS, [1]).await;
    log.change(PAYMENTS, [2]).await;
    let (_, position) = client.changes(2).await;
    let visibility = Visibility::OfCustomer("kim".into());
    let body = log
        .feeds
        .listen(&route(), Some(&position), visibility, None, 100)
        .await;
    let mut resumed = Client {
        body: body.unwrap_or_else(|error| panic!("a known position: {error:?}")),
        text: String::new(),
    };
    resumed.next().await;
    let caught_up = resumed.next().await.unwrap();
    assert_eq!(caught_up.id, Some(position));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_ahead_of_this_host_waits_until_it_has_come_as_far() {
    let log = ConsumedLog::open().await;
    log.change(CARS, [1]).await;
    let mut client = log.listen(None).await;
    client.next().await;
    log.change(CARS, [2, 3]).await;
    let (_, ahead) = client.changes(2).await;
    drop(client);
    // Another host has its own group, which has not come as far.
    let consumer = Consumer::new("view@other", "other", &[CARS, PAYMENTS]);
    log.fixture.log.subscribe(&consumer).await.unwrap();
    let mut other = route();
    other.subscription.audience = Audience::EachHost;
    let feeds = ChangeFeeds::new(
        ChangeSource {
            log: log.fixture.log.clone(),
            host: "other".to_owned(),
            acknowledgements: log.acknowledgements.clone(),
        },
        Handle::current(),
        CancellationToken::new(),
    );
    let body = feeds
        .listen(&other, Some(&ahead), Visibility::Everything, None, 100)
        .await;
    let mut client = Client {
        body: body.unwrap_or_else(|error| panic!("a known position: {error:?}")),
        text: String::new(),
    };
    client.next().await;
    log.publish(CARS, 4).await;
    let claimed = log.fixture.log.claim(&consumer, 100, Duration::ZERO);
    let positions: Vec<_> = claimed.await.unwrap();
    let positions: Vec<_> = positions.iter().map(|it| it.position.clone()).collect();
    for position in positions {
        let log = &log.fixture.log;
        log.acknowledge("view@other", &[position]).await.unwrap();
    }
    assert_eq!(client.changes(1).await.0, [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_the_log_does_not_have_is_gone() {
    let log = ConsumedLog::open().await;
    let mut client = log.listen(None).await;
    client.next().await;
    let mut positions = Vec::new();
    for number in 1..=3 {
        log.change(CARS, [number]).await;
        positions.push(client.changes(1).await.1);
    }
    for foreign in ["", "1-0", "another.1-0.1-0"] {
        assert_eq!(
            log.refusal(Some(foreign)).await,
            Some(ListenError::PositionGone)
        );
    }
    let entries = log
        .fixture
        .log
        .range(CARS, event_log::EntryId::MIN, event_log::EntryId::MAX, 2);
    for entry in entries.await.unwrap() {
        log.fixture.log.remove(CARS, entry.id).await.unwrap();
    }
    let refusals = [
        log.refusal(Some(&positions[0])).await,
        log.refusal(Some(&positions[2])).await,
    ];
    assert_eq!(refusals, [Some(ListenError::PositionGone), None]);
}

/// A restored log has lost the changes that the client knows, and gets others in their place.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_behind_the_end_of_the_log_is_gone() {
    let log = ConsumedLog::open().await;
    let opening = log.listen(None).await.next().await.unwrap().id.unwrap();
    let history = opening.split('.').next().unwrap();
    for change in [None, Some(CARS)] {
        if let Some(stream) = change {
            log.change(stream, [1]).await;
        }
        for lost in ["1999999999999-0.0-0.1", "0-0.1999999999999-0.1"] {
            let lost = format!("{history}.{lost}");
            let refusal = log.refusal(Some(&lost)).await;
            assert_eq!(refusal, Some(ListenError::PositionGone), "{lost}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_from_before_the_first_acknowledgement_is_resumed() {
    let log = ConsumedLog::open().await;
    log.publish(CARS, 1).await;
    log.publish(PAYMENTS, 2).await;
    let claimed = log.claim().await;
    let opening = log.listen(None).await.next().await.unwrap();
    log.acknowledge(&claimed).await;
    let mut client = log.listen(opening.id.as_deref()).await;
    assert_eq!(client.changes(2).await.0, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_from_before_the_first_entry_of_a_stream_is_resumed() {
    let log = ConsumedLog::open().await;
    let mut route = route();
    route.retention = Some(Duration::from_secs(3600));
    let listen = async |last: Option<&str>| {
        log.feeds
            .listen(&route, last, Visibility::Everything, None, 100)
            .await
    };
    let body = listen(None).await.unwrap();
    let text = String::new();
    let mut client = Client { body, text };
    client.next().await;
    log.change(CARS, [1]).await;
    let (_, young) = client.changes(1).await;
    log.change(PAYMENTS, [2]).await;
    client.changes(1).await;
    assert!(listen(Some(&young)).await.is_ok(), "{young}");
    let (ids, _) = young.rsplit_once('.').unwrap();
    let old = listen(Some(&format!("{ids}.1"))).await.err();
    assert_eq!(old, Some(ListenError::PositionGone));
}

impl ConsumedLog {
    /// Removes every entry of a stream. An entry of this very millisecond is not old enough to be removed at once.
    async fn remove_all(&self, stream: &str) {
        let log = &self.fixture.log;
        let started = std::time::Instant::now();
        while log.length(stream).await.unwrap() > 0 {
            assert!(started.elapsed() < TIMEOUT, "{stream} is not removed");
            log.trim(stream, Duration::ZERO, None).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_is_gone_when_all_entries_of_a_stream_are_removed() {
    let log = ConsumedLog::open().await;
    let mut client = log.listen(None).await;
    client.next().await;
    log.change(CARS, [1]).await;
    let (_, first) = client.changes(1).await;
    log.change(CARS, [2]).await;
    let (_, last) = client.changes(1).await;
    drop(client);
    log.remove_all(CARS).await;
    assert_eq!(
        log.refusal(Some(&first)).await,
        Some(ListenError::PositionGone)
    );
    // A client that has everything misses nothing.
    assert_eq!(log.refusal(Some(&last)).await, None);
    // While the first entry that is left is not acknowledged, too.
    log.publish(CARS, 3).await;
    log.claim().await;
    assert_eq!(
        log.refusal(Some(&first)).await,
        Some(ListenError::PositionGone)
    );
}

/// An earlier manifest, or that of another host, may have had a retention.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_without_an_entry_is_gone_when_a_manifest_without_retention_follows() {
    let log = ConsumedLog::open().await;
    let opening = log.listen(None).await.next().await.unwrap();
    assert_eq!(log.refusal(opening.id.as_deref()).await, None);
    log.change(CARS, [1]).await;
    assert_eq!(log.refusal(opening.id.as_deref()).await, None);
    log.remove_all(CARS).await;
    assert_eq!(
        log.refusal(opening.id.as_deref()).await,
        Some(ListenError::PositionGone)
    );
}

/// The events before the first one that is not acknowledged are removed, and nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_after_everything_that_was_removed_is_resumed() {
    let log = ConsumedLog::open().await;
    log.change(CARS, [1]).await;
    log.remove_all(CARS).await;
    log.publish(CARS, 2).await;
    let claimed = log.claim().await;
    let opening = log.listen(None).await.next().await.unwrap();
    log.acknowledge(&claimed).await;
    let mut client = log.listen(opening.id.as_deref()).await;
    assert_eq!(client.changes(1).await.0, [2]);
}
