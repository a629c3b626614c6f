//! Listeners that come back from far behind: what they cost, and that they keep nothing from others.

use event_log::EntryId;
use tokio::sync::OwnedSemaphorePermit;

use super::counted_log::CountedLog;
use super::*;
use crate::changes::reader::ChangeReader;

impl ConsumedLog {
    /// Keeps every listener that is behind from its turn.
    async fn hold_turn(&self) -> OwnedSemaphorePermit {
        let turn = self.feeds.0.catch_ups.turn.clone();
        turn.acquire_owned().await.unwrap()
    }

    /// The position before the first event, with no listener left.
    async fn beginning(&self) -> String {
        let opening = self.listen(None).await.next().await.unwrap();
        self.wait_until_at_rest().await;
        opening.id.unwrap()
    }

    /// Publishes events in both streams in turn, and lets the consumer handle them.
    async fn change_both(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            let stream = [CARS, PAYMENTS][number % 2];
            self.publish(stream, number).await;
        }
        let claimed = self.claim().await;
        self.acknowledge(&claimed).await;
    }
}

/// Waits for a heartbeat, which has the position.
async fn assert_heartbeat(client: &mut Client, position: &str) {
    let since = tokio::time::Instant::now();
    let heartbeat = client.next().await.unwrap();
    assert_eq!(heartbeat.id.as_deref(), Some(position), "{heartbeat:?}");
    assert_eq!(heartbeat.data, None);
    let silence = since.elapsed();
    assert!(silence <= Duration::from_secs(16), "{silence:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_waits_for_its_turn_gets_heartbeats_and_then_everything_in_order() {
    let log = ConsumedLog::open().await;
    let position = log.beginning().await;
    log.change_both(1..=100).await;
    let turn = log.hold_turn().await;
    let mut client = log.listen(Some(&position)).await;
    assert!(client.next().await.unwrap().retry.is_some());
    for _ in 0..3 {
        assert_heartbeat(&mut client, &position).await;
    }
    drop(turn);
    assert_eq!(client.changes(100).await.0, Vec::from_iter(1..=100));
    log.change(CARS, [101]).await;
    assert_eq!(client.changes(1).await.0, [101]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_waits_for_its_turn_ends_at_its_time_and_with_the_host() {
    let log = ConsumedLog::open().await;
    let position = log.beginning().await;
    log.change_both(1..=100).await;
    let _turn = log.hold_turn().await;
    for stop in [false, true] {
        let until = tokio::time::Instant::now() + Duration::from_secs(5);
        let until = (!stop).then_some(until);
        let body = log
            .feeds
            .listen(
                &route(),
                Some(&position),
                Visibility::Everything,
                until,
                100,
            )
            .await;
        let mut client = Client {
            body: body.unwrap_or_else(|error| panic!("a known position: {error:?}")),
            text: String::new(),
        };
        client.next().await;
        if stop {
            let feeds = log.stop.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                feeds.cancel();
            });
        }
        let last = client.next().await.unwrap();
        assert!(last.retry.is_some() && last.data.is_none(), "{last:?}");
        assert_eq!(client.next().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_that_leave_or_read_nothing_keep_no_turn() {
    let log = ConsumedLog::open().await;
    let position = log.beginning().await;
    log.change_both(1..=100).await;
    let turn = log.hold_turn().await;
    let mut leaving = log.listen(Some(&position)).await;
    let mut slow = log.listen(Some(&position)).await;
    for client in [&mut leaving, &mut slow] {
        client.next().await;
        assert_heartbeat(client, &position).await;
    }
    drop(leaving);
    drop(turn);
    // The page of the slow client is ready, and it does not take it.
    let mut client = log.listen(Some(&position)).await;
    assert_eq!(client.changes(100).await.0, Vec::from_iter(1..=100));
    assert_eq!(slow.changes(100).await.0, Vec::from_iter(1..=100));
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_ahead_of_this_host_gets_heartbeats() {
    let log = ConsumedLog::open().await;
    let position = log.beginning().await;
    log.publish(CARS, 1).await;
    let entries = log.fixture.log.range(CARS, EntryId::MIN, EntryId::MAX, 1);
    let id = entries.await.unwrap()[0].id;
    let ahead = position.replacen("0-0", &id.to_string(), 1);
    let mut client = log.listen(Some(&ahead)).await;
    client.next().await;
    for _ in 0..3 {
        assert_heartbeat(&mut client, &ahead).await;
    }
}

/// Of three entries that were read, two were read again by the next page.
#[tokio::test]
async fn a_catch_up_reads_hardly_an_entry_twice() {
    const EVENTS: usize = 600;
    let log = ConsumedLog::open().await;
    let counted = CountedLog::new(log.fixture.log.clone());
    let reader = ChangeReader::new(
        &route(),
        &ChangeSource {
            log: counted.clone(),
            host: "host".to_owned(),
            acknowledgements: log.acknowledgements.clone(),
        },
    );
    let mut position = reader.newest().await.unwrap();
    log.change_both(1..=EVENTS).await;
    let now = reader.newest().await.unwrap();
    let before = counted.entries();
    let mut messages = 0;
    while !position.is_as_far_as(&now) {
        let page = reader.advance(&mut position, &now.ids, 32).await.unwrap();
        assert!(page.len() <= 32, "{}", page.len());
        messages += page.len();
    }
    assert_eq!(messages, EVENTS);
    let read = counted.entries() - before;
    assert!(read < EVENTS * 5 / 4, "{read} entries for {EVENTS} events");
}

#[tokio::test]
async fn pages_of_any_size_have_every_change_once_and_in_order() {
    let log = ConsumedLog::open().await;
    let mut route = route();
    route.subscription.event_types = Some(["Changed".to_owned()].into());
    let reader = ChangeReader::new(
        &route,
        &ChangeSource {
            log: log.fixture.log.clone(),
            host: "host".to_owned(),
            acknowledgements: log.acknowledgements.clone(),
        },
    );
    let begin = reader.newest().await.unwrap();
    // One stream is much busier than the other, and most of its events are not handled.
    let ignored = vec![(EVENT_FIELD.to_owned(), Bytes::from(r#"{"type":"Ignored"}"#))];
    for number in 1..=40 {
        let stream = if number % 7 == 0 { PAYMENTS } else { CARS };
        log.publish(stream, number).await;
        for _ in 0..number % 5 {
            log.fixture.log.append(CARS, &ignored).await.unwrap();
        }
    }
    log.change(CARS, []).await;
    let now = reader.newest().await.unwrap();
    for limit in 1..50 {
        let (mut position, mut messages) = (begin.clone(), Vec::new());
        while !position.is_as_far_as(&now) {
            let before = position.clone();
            messages.extend(
                reader
                    .advance(&mut position, &now.ids, limit)
                    .await
                    .unwrap(),
            );
            assert!(
                before.is_behind(&position),
                "{before} with pages of {limit}"
            );
        }
        let messages = messages.iter();
        let texts = messages.filter_map(|it| it.visible(&Visibility::Everything));
        let numbers = texts.map(|text| {
            let text = String::from_utf8(text.to_vec()).unwrap();
            let data = parsed(text.trim_end()).data.unwrap();
            let event: serde_json::Value = serde_json::from_str(&data).unwrap();
            event["id"].as_u64().unwrap() as usize
        });
        let numbers: Vec<_> = numbers.collect();
        assert_eq!(numbers, Vec::from_iter(1..=40), "pages of {limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_more_than_ten_thousand_events_follow_is_gone() {
    let log = ConsumedLog::open().await;
    let mut client = log.listen(None).await;
    let first = client.next().await.unwrap().id.unwrap();
    log.change(CARS, [1]).await;
    let (_, second) = client.changes(1).await;
    drop(client);
    log.wait_until_at_rest().await;
    for begin in (2..=10_001).step_by(1_000) {
        log.change_both(begin..begin + 1_000).await;
    }
    assert_eq!(
        log.refusal(Some(&first)).await,
        Some(ListenError::PositionGone)
    );
    let mut client = log.listen(Some(&second)).await;
    let (numbers, _) = client.changes(10_000).await;
    assert_eq!(numbers, Vec::from_iter(2..=10_001));
}

/// An event that fails holds back its stream, whatever happens in the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_waits_for_an_old_event_as_all_do_is_not_too_far_behind() {
    let log = ConsumedLog::open().await;
    log.publish(PAYMENTS, 1).await;
    let failed = log.claim().await;
    for begin in (2..=10_002).step_by(1_000) {
        log.change(CARS, begin..begin + 1_000).await;
    }
    let mut client = log.listen(None).await;
    let position = client.next().await.unwrap().id.unwrap();
    log.change(CARS, [20_000]).await;
    client.changes(1).await;
    drop(client);
    let mut client = log.listen(Some(&position)).await;
    assert_eq!(client.changes(1).await.0, [20_000]);
    log.acknowledge(&failed).await;
    assert_eq!(client.changes(1).await.0, [1]);
}
