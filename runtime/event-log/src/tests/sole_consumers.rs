//! On Redis, the only consumer of a group reads without scripts, until another one joins it.

use super::*;
use storage::redis_client::RedisClient;
use storage::redis_client::test_support::RedisServer;

const SHORT_TIMEOUT: Duration = Duration::from_millis(100);

struct SoleConsumer {
    fixture: Fixture,
    client: Arc<RedisClient>,
    consumer: Consumer,
}

impl SoleConsumer {
    /// A consumer whose heartbeat has found no other one.
    async fn of_group(timeout: Duration) -> Self {
        Self::handling(consumer("message", "one"), timeout).await
    }

    async fn handling(consumer: Consumer, timeout: Duration) -> Self {
        let server = RedisServer::start().await;
        let client = server.client();
        let log = Arc::new(RedisLog::new(client.clone()));
        let fixture = Fixture::of(log, Box::new(server));
        fixture.log.subscribe(&consumer).await.unwrap();
        fixture.log.heartbeat(&consumer, timeout).await.unwrap();
        Self {
            fixture,
            client,
            consumer,
        }
    }

    /// The entries that come within a moment.
    async fn claim(&self) -> Vec<Delivery> {
        let wait = Duration::from_millis(50);
        let claimed = self.fixture.log.claim(&self.consumer, 100, wait).await;
        claimed.unwrap()
    }

    /// The number of scripts that the server has executed.
    async fn scripts(&self) -> u64 {
        let mut ask = ::redis::cmd("INFO");
        let text: String = self.client.query(ask.arg("commandstats")).await.unwrap();
        let lines = text.lines();
        let scripts = lines.filter_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        scripts
            .map(|rest| rest.split(',').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// The number of lanes and entries that scripts have on record.
    async fn on_record(&self) -> u64 {
        let mut sum = 0;
        for name in ["pending", "owners", "failures"] {
            let mut ask = ::redis::cmd("HLEN");
            ask.arg(format!("socar.log:message:{name}"));
            sum += self.client.query::<u64>(&ask).await.unwrap();
        }
        sum
    }
}

#[tokio::test]
async fn a_redriven_letter_is_removed_when_it_is_handled() {
    let sole = SoleConsumer::of_group(LONG_TIMEOUT).await;
    assert_eq!(sole.claim().await, []);
    sole.fixture.publish(&["a"]).await;
    let claimed = sole.claim().await;
    let id = sole.fixture.parked(&sole.consumer, &claimed[0], "x").await;
    assert!(sole.fixture.log.redrive(id).await.unwrap());
    let again = sole.claim().await;
    assert_eq!(again.len(), 1);
    sole.fixture.acknowledge(&sole.consumer, &again).await;
    let left = sole.fixture.log.length(&again[0].position.stream).await;
    assert_eq!(left.unwrap(), 0);
}

#[tokio::test]
async fn an_event_that_goes_well_needs_no_script() {
    let sole = SoleConsumer::of_group(LONG_TIMEOUT).await;
    // The first claim empties the inbox of the subscription.
    assert_eq!(sole.claim().await, []);
    let before = sole.scripts().await;
    sole.fixture.publish(&["a", "b", "a"]).await;
    let mut claimed = Vec::new();
    while claimed.len() < 3 {
        claimed.extend(sole.claim().await);
    }
    assert_eq!(numbers(&claimed), [1, 2, 3]);
    assert_eq!(&*claimed[1].lane, "socar.car\nb");
    sole.fixture.acknowledge(&sole.consumer, &claimed).await;
    sole.fixture
        .log
        .heartbeat(&sole.consumer, LONG_TIMEOUT)
        .await
        .unwrap();
    assert_eq!(sole.scripts().await, before);
    let state = sole.fixture.state("message").await;
    assert_eq!((state.pending, state.lag), (0, 0));
    assert_eq!(sole.on_record().await, 0);
}

#[tokio::test]
async fn a_sole_consumer_acknowledges_events_of_other_types() {
    let types = Some(["Wanted".to_owned()].into());
    let consumer = consumer("message", "one").with_event_types(types);
    let sole = SoleConsumer::handling(consumer, LONG_TIMEOUT).await;
    for (number, event_type) in [(1, "Other"), (2, "Wanted"), (3, "Other")] {
        let json = serde_json::json!({"id": number.to_string(), "type": event_type});
        let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(json.to_string()))];
        sole.fixture.log.append(STREAM, &fields).await.unwrap();
    }
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.extend(sole.claim().await);
    }
    assert_eq!(numbers(&claimed), [2]);
    assert_eq!(sole.fixture.state("message").await.pending, 1);
}

#[tokio::test]
async fn a_consumer_that_joins_leaves_the_lanes_of_the_sole_one_alone() {
    let sole = SoleConsumer::of_group(LONG_TIMEOUT).await;
    let log = &sole.fixture.log;
    sole.fixture.publish(&["a"]).await;
    let first = sole.claim().await;
    assert_eq!(numbers(&first), [1]);
    let two = sole.fixture.subscribed("message", "two").await;
    log.append(STREAM, &event("c", 2)).await.unwrap();
    // The owner of the first lane is not known yet.
    assert_eq!(sole.fixture.claim(&two).await, []);
    let second = sole.claim().await;
    log.append(STREAM, &event("a", 3)).await.unwrap();
    log.append(STREAM, &event("b", 4)).await.unwrap();
    let mut of_two = sole.fixture.claim(&two).await;
    let mut of_one = second.clone();
    of_one.extend(sole.claim().await);
    of_two.extend(sole.fixture.claim(&two).await);
    let lanes = |deliveries: &[Delivery]| {
        numbers(deliveries)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(lanes(&of_one).contains(&3), "{of_one:?}");
    assert!(lanes(&of_two).contains(&4), "{of_two:?}");
    // Acknowledgements of both leave nothing on record.
    sole.fixture.acknowledge(&sole.consumer, &first).await;
    sole.fixture.acknowledge(&sole.consumer, &of_one).await;
    sole.fixture.acknowledge(&two, &of_two).await;
    assert_eq!(sole.fixture.state("message").await.pending, 0);
    assert_eq!(sole.on_record().await, 0);
}

#[tokio::test]
async fn an_evicted_sole_consumer_reads_nothing_more() {
    let sole = SoleConsumer::of_group(SHORT_TIMEOUT).await;
    let log = &sole.fixture.log;
    sole.fixture.publish(&["a", "b"]).await;
    assert_eq!(numbers(&sole.claim().await), [1, 2]);
    tokio::time::sleep(SHORT_TIMEOUT * 2).await;
    let two = sole.fixture.subscribed("message", "two").await;
    assert_eq!(log.heartbeat(&two, SHORT_TIMEOUT).await.unwrap(), 2);
    log.append(STREAM, &event("a", 3)).await.unwrap();
    let late = log.claim(&sole.consumer, 10, LONG_TIMEOUT).await;
    assert!(matches!(late, Err(LogError::Evicted { .. })), "{late:?}");
    let mut taken_over = sole.fixture.claim(&two).await;
    let read = log.claim(&two, 10, Duration::from_millis(50)).await;
    taken_over.extend(read.unwrap());
    assert_eq!(numbers(&taken_over), [1, 2, 3]);
}

#[tokio::test]
async fn what_a_sole_consumer_has_read_is_claimed_again_in_a_new_session() {
    let sole = SoleConsumer::of_group(LONG_TIMEOUT).await;
    let log = &sole.fixture.log;
    sole.fixture.publish(&["a", "b", "a"]).await;
    let claimed = sole.claim().await;
    sole.fixture
        .acknowledge(&sole.consumer, &claimed[..1])
        .await;
    let position = &claimed[1].position;
    let failed = log
        .record_failure("message", position, "refused", AT_ONCE)
        .await;
    assert_eq!(failed.unwrap(), Some(1));
    let consumer = sole.consumer.with_new_session();
    log.subscribe(&consumer).await.unwrap();
    log.heartbeat(&consumer, LONG_TIMEOUT).await.unwrap();
    let again = log
        .claim(&consumer, 10, Duration::from_millis(50))
        .await
        .unwrap();
    assert_eq!(numbers(&again), [2, 3]);
    assert_eq!(again[0].attempts, 1);
    // An acknowledgement of the earlier session counts too.
    sole.fixture.acknowledge(&consumer, &claimed).await;
    assert_eq!(sole.fixture.state("message").await.pending, 0);
    assert_eq!(sole.on_record().await, 0);
}

/// A host goes on to read another group alone, and renews its heartbeats there.
async fn is_taken_over(sole: &SoleConsumer, log: &Arc<dyn EventLog>) {
    let other = consumer("viewpage", "one");
    log.subscribe(&other).await.unwrap();
    log.heartbeat(&other, SHORT_TIMEOUT).await.unwrap();
    let two = sole.fixture.subscribed("message", "two").await;
    let mut taken_over = 0;
    for _ in 0..50 {
        log.claim(&other, 10, Duration::from_millis(1))
            .await
            .unwrap();
        log.heartbeat(&other, SHORT_TIMEOUT).await.unwrap();
        taken_over += sole
            .fixture
            .log
            .heartbeat(&two, SHORT_TIMEOUT)
            .await
            .unwrap();
        tokio::time::sleep(SHORT_TIMEOUT / 10).await;
    }
    assert_eq!(taken_over, 2);
    let again = sole.fixture.claim(&two).await;
    assert_eq!(numbers(&again), [1, 2]);
    // The other group is still its own.
    let rival = sole.fixture.subscribed("viewpage", "two").await;
    for _ in 0..20 {
        log.claim(&other, 10, Duration::from_millis(1))
            .await
            .unwrap();
        log.heartbeat(&other, SHORT_TIMEOUT).await.unwrap();
        sole.fixture
            .log
            .heartbeat(&rival, SHORT_TIMEOUT)
            .await
            .unwrap();
        tokio::time::sleep(SHORT_TIMEOUT / 10).await;
    }
}

/// As at a reload to an application without the component, while the server has no memory.
#[tokio::test]
async fn a_group_whose_sole_consumer_could_not_leave_is_taken_over() {
    let sole = SoleConsumer::of_group(SHORT_TIMEOUT).await;
    sole.fixture.publish(&["a", "b"]).await;
    assert_eq!(numbers(&sole.claim().await), [1, 2]);
    let limit_memory = async |bytes: usize| {
        let mut limit = ::redis::cmd("CONFIG");
        limit.arg("SET").arg("maxmemory").arg(bytes);
        sole.client.query::<String>(&limit).await.unwrap();
    };
    limit_memory(1).await;
    sole.fixture.log.leave(&sole.consumer).await.unwrap_err();
    limit_memory(0).await;
    is_taken_over(&sole, &sole.fixture.log).await;
}

/// The host was killed, and starts at once with an application without the component.
#[tokio::test]
async fn a_group_that_a_restarted_host_does_not_read_any_more_is_taken_over() {
    let sole = SoleConsumer::of_group(SHORT_TIMEOUT).await;
    sole.fixture.publish(&["a", "b"]).await;
    assert_eq!(numbers(&sole.claim().await), [1, 2]);
    let restarted: Arc<dyn EventLog> = Arc::new(RedisLog::new(sole.client.clone()));
    is_taken_over(&sole, &restarted).await;
}
