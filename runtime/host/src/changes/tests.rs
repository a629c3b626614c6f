//! A feed on an embedded log: what its listeners get, and in which order.

use bytes::Bytes;
use event_log::delivery::{Audience, DEFAULT_BACKOFF, DeliveryEngine, DeliverySettings};
use event_log::delivery::{DeliveredEvent, EventHandler, HandlerError};
use event_log::test_support::{Fixture, embedded};
use event_log::{Consumer, Delivery, EVENT_FIELD};
use http_body_util::BodyExt as _;
use std::time::Duration;

use super::*;

mod catch_up;
mod counted_log;
mod resumption;

const CARS: &str = "socar.car";
const PAYMENTS: &str = "socar.payment";
const TIMEOUT: Duration = Duration::from_secs(30);

/// A log with one consumer, which acknowledges what the test tells it to.
struct ConsumedLog {
    fixture: Fixture,
    consumer: Consumer,
    feeds: ChangeFeeds,
    acknowledgements: Acknowledgements,
    stop: CancellationToken,
}

/// A message as a client reads it.
#[derive(Debug, Default, PartialEq)]
struct Received {
    id: Option<String>,
    event_type: Option<String>,
    data: Option<String>,
    retry: Option<String>,
}

struct Client {
    body: WasiBody,
    text: String,
}

fn route() -> ChangeRoute {
    ChangeRoute {
        path: "/cars/stream".to_owned(),
        subscription: Subscription {
            component: "view".to_owned(),
            streams: vec![CARS.to_owned(), PAYMENTS.to_owned()],
            event_types: None,
            audience: Audience::Shared,
            attempts: 3,
            concurrency: 1,
            backoff: DEFAULT_BACKOFF,
        },
        max_listeners: 2,
        backlog: 4,
        retention: None,
        public: PublicEvents::from([("CarChanged".to_owned(), vec!["carId".to_owned()])]),
    }
}

impl ConsumedLog {
    async fn open() -> Self {
        let fixture = embedded();
        let consumer = Consumer::new("view", "host", &[CARS, PAYMENTS]);
        fixture.log.subscribe(&consumer).await.unwrap();
        let acknowledgements = Acknowledgements::default();
        let source = ChangeSource {
            log: fixture.log.clone(),
            host: "host".to_owned(),
            acknowledgements: acknowledgements.clone(),
        };
        let stop = CancellationToken::new();
        Self {
            feeds: ChangeFeeds::new(source, Handle::current(), stop.clone()),
            fixture,
            consumer,
            acknowledgements,
            stop,
        }
    }

    async fn publish(&self, stream: &str, number: usize) {
        let event =
            serde_json::json!({"type": "Changed", "id": number, "subject": number.to_string()});
        // A byte order mark is no part of an event.
        let mark = if number % 2 == 1 { "\u{feff}" } else { "" };
        let event = format!("{mark}{event}");
        let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(event))];
        self.fixture.log.append(stream, &fields).await.unwrap();
    }

    async fn claim(&self) -> Vec<Delivery> {
        let claimed = self.fixture.log.claim(&self.consumer, 1000, Duration::ZERO);
        claimed.await.unwrap()
    }

    async fn acknowledge(&self, deliveries: &[Delivery]) {
        let positions: Vec<_> = deliveries.iter().map(|it| it.position.clone()).collect();
        let log = &self.fixture.log;
        log.acknowledge("view", &positions).await.unwrap();
    }

    /// Publishes events and lets the consumer handle them.
    async fn change(&self, stream: &str, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.publish(stream, number).await;
        }
        let claimed = self.claim().await;
        self.acknowledge(&claimed).await;
    }

    async fn listen(&self, last: Option<&str>) -> Client {
        let body = self
            .feeds
            .listen(&route(), last, Visibility::Everything, None, 100)
            .await;
        Client {
            body: body.unwrap_or_else(|error| panic!("refused: {error:?}")),
            text: String::new(),
        }
    }

    /// Waits until the feed has seen that it has no listeners: its task looks from time to time.
    async fn wait_until_at_rest(&self) {
        let is_at_rest = || {
            let feeds = self.feeds.0.feeds.lock();
            feeds.values().all(|feed| feed.now().is_none())
        };
        let started = std::time::Instant::now();
        while !is_at_rest() {
            assert!(started.elapsed() < TIMEOUT, "the feed does not rest");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn refusal(&self, last: Option<&str>) -> Option<ListenError> {
        self.feeds
            .listen(&route(), last, Visibility::Everything, None, 100)
            .await
            .err()
    }
}

impl Client {
    /// The next message; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let message = parsed(message);
                self.text = rest.to_owned();
                return Some(message);
            }
            let frame = tokio::time::timeout(TIMEOUT, self.body.frame()).await;
            let frame = frame.expect("a message in time")?.unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    /// The numbers of the next changes, and the position after the last of them.
    async fn changes(&mut self, count: usize) -> (Vec<usize>, String) {
        let (mut numbers, mut position) = (Vec::new(), String::new());
        while numbers.len() < count {
            let message = self.next().await.expect("a change");
            position = message.id.unwrap_or(position);
            if let Some(data) = message.data {
                let event: serde_json::Value = serde_json::from_str(&data).unwrap();
                assert_eq!(message.event_type.as_deref(), Some("Changed"));
                numbers.push(event["id"].as_u64().unwrap() as usize);
            }
        }
        (numbers, position)
    }

    async fn is_silent(&mut self) -> bool {
        let next = tokio::time::timeout(Duration::from_millis(700), self.next());
        next.await.is_err()
    }
}

fn parsed(message: &str) -> Received {
    let mut received = Received::default();
    for line in message.lines() {
        let (field, value) = line.split_once(": ").unwrap();
        let field = match field {
            "id" => &mut received.id,
            "event" => &mut received.event_type,
            "data" => &mut received.data,
            "retry" => &mut received.retry,
            _ => continue,
        };
        *field = Some(value.to_owned());
    }
    received
}

#[tokio::test(flavor = "multi_thread")]
async fn two_listeners_get_every_change_in_the_order_of_the_log() {
    let log = ConsumedLog::open().await;
    log.change(CARS, [1]).await;
    let mut clients = [log.listen(None).await, log.listen(None).await];
    for client in &mut clients {
        let opening = client.next().await.unwrap();
        assert!(
            opening.id.is_some() && opening.retry.is_some(),
            "{opening:?}"
        );
        assert_eq!(opening.data, None);
    }
    log.change(CARS, [2, 3]).await;
    log.change(PAYMENTS, [4]).await;
    log.change(CARS, [5]).await;
    for client in &mut clients {
        assert_eq!(client.changes(4).await.0, [2, 3, 4, 5]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_sent_when_it_and_the_earlier_ones_of_its_stream_are_acknowledged() {
    let log = ConsumedLog::open().await;
    let mut client = log.listen(None).await;
    client.next().await;
    log.publish(CARS, 1).await;
    log.publish(CARS, 2).await;
    let claimed = log.claim().await;
    assert!(client.is_silent().await, "nothing is acknowledged");
    log.acknowledge(&claimed[1..]).await;
    assert!(client.is_silent().await, "the first is not acknowledged");
    log.acknowledge(&claimed[..1]).await;
    assert_eq!(client.changes(2).await.0, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_lags_too_far_behind_is_sent_away_and_continues_from_the_log() {
    let log = ConsumedLog::open().await;
    let mut slow = log.listen(None).await;
    let mut fast = log.listen(None).await;
    let position = slow.next().await.unwrap().id.unwrap();
    log.change(CARS, [1]).await;
    assert_eq!(slow.changes(1).await.0, [1]);
    for number in 2..=10 {
        log.change(CARS, [number]).await;
        fast.changes(1).await;
    }
    // The four newest messages are kept; the slow listener has read none of the last nine.
    let last = slow.next().await.unwrap();
    assert!(last.retry.is_some() && last.data.is_none(), "{last:?}");
    assert_eq!(slow.next().await, None);
    let mut again = log.listen(Some(&position)).await;
    assert_eq!(again.changes(10).await.0, (1..=10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_listeners_is_bounded_and_a_place_becomes_free() {
    let log = ConsumedLog::open().await;
    let first = log.listen(None).await;
    let _second = log.listen(None).await;
    assert_eq!(log.refusal(None).await, Some(ListenError::TooMany));
    let no_room = log
        .feeds
        .listen(&route(), None, Visibility::Everything, None, 1)
        .await
        .err();
    assert_eq!(no_room, Some(ListenError::TooMany));
    drop(first);
    let mut third = log.listen(None).await;
    third.next().await;
    log.change(CARS, [1]).await;
    assert_eq!(third.changes(1).await.0, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_without_listeners_rests_and_begins_again() {
    let log = ConsumedLog::open().await;
    for number in 1..=3 {
        let mut client = log.listen(None).await;
        client.next().await;
        log.change(CARS, [number * 10]).await;
        assert_eq!(client.changes(1).await.0, [number * 10]);
        drop(client);
        log.wait_until_at_rest().await;
        log.change(CARS, [number * 10 + 1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_and_the_removal_of_the_route_end_the_streams_with_a_time_to_come_again() {
    for stop in [true, false] {
        let log = ConsumedLog::open().await;
        let mut client = log.listen(None).await;
        client.next().await;
        match stop {
            true => log.stop.cancel(),
            false => log.feeds.keep(&[]),
        }
        let last = client.next().await.unwrap();
        assert!(last.retry.is_some(), "{last:?}");
        assert_eq!(client.next().await, None);
        assert_eq!(log.refusal(None).await.is_some(), stop);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_ends_at_its_time_and_one_without_goes_on() {
    let log = ConsumedLog::open().await;
    let until = tokio::time::Instant::now() + Duration::from_millis(300);
    let body = log
        .feeds
        .listen(&route(), None, Visibility::Everything, Some(until), 100)
        .await;
    let mut limited = Client {
        body: body.unwrap_or_else(|error| panic!("refused: {error:?}")),
        text: String::new(),
    };
    let mut unlimited = log.listen(None).await;
    let position = limited.next().await.unwrap().id.unwrap();
    unlimited.next().await;
    // No change wakes it.
    let last = limited.next().await.unwrap();
    assert!(last.retry.is_some() && last.data.is_none(), "{last:?}");
    assert_eq!(limited.next().await, None);
    assert!(tokio::time::Instant::now() >= until);
    assert!(unlimited.is_silent().await, "it has no end");
    log.change(CARS, [1]).await;
    assert_eq!(unlimited.changes(1).await.0, [1]);
    drop(limited);
    let mut again = log.listen(Some(&position)).await;
    assert_eq!(again.changes(1).await.0, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_time_is_over_gets_no_further_change() {
    let log = ConsumedLog::open().await;
    let until = tokio::time::Instant::now() + Duration::from_millis(300);
    let body = log
        .feeds
        .listen(&route(), None, Visibility::Everything, Some(until), 100)
        .await;
    let mut client = Client {
        body: body.unwrap_or_else(|error| panic!("refused: {error:?}")),
        text: String::new(),
    };
    client.next().await;
    log.change(CARS, [1]).await;
    tokio::time::sleep_until(until).await;
    let last = client.next().await.unwrap();
    assert!(last.retry.is_some() && last.data.is_none(), "{last:?}");
    assert_eq!(client.next().await, None);
}

/// Handles every event at once.
struct Willing;

#[async_trait::async_trait]
impl EventHandler for Willing {
    async fn handle(&self, _component: &str, _event: DeliveredEvent) -> Result<(), HandlerError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_sends_its_changes_without_a_wait() {
    let log = ConsumedLog::open().await;
    let settings = DeliverySettings {
        acknowledgements: Some(log.acknowledgements.clone()),
        ..DeliverySettings::default()
    };
    let subscription = Subscription {
        audience: Audience::EachHost,
        ..route().subscription
    };
    let of_host = ChangeRoute {
        subscription: subscription.clone(),
        ..route()
    };
    let handler = Arc::new(Willing);
    let log_of_delivery = log.fixture.log.clone();
    let _deliveries = DeliveryEngine::start(
        log_of_delivery,
        handler,
        "host",
        vec![subscription],
        settings,
    );
    let body = log
        .feeds
        .listen(&of_host, None, Visibility::Everything, None, 100)
        .await;
    let mut client = Client {
        body: body.unwrap_or_else(|error| panic!("a place: {error:?}")),
        text: String::new(),
    };
    client.next().await;
    let mut times = Vec::new();
    for number in 1..=19 {
        let since = std::time::Instant::now();
        log.publish(CARS, number).await;
        assert_eq!(client.changes(1).await.0, [number]);
        times.push(since.elapsed());
    }
    // Without the news of acknowledgements, each change would wait about a second for the next look. The median
    // ignores the moments in which a busy machine runs other programs.
    times.sort();
    let median = times[times.len() / 2];
    assert!(median < Duration::from_millis(500), "{times:?}");
}
