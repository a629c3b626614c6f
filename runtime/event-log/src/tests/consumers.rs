//! Several consumers of one group: lanes, take-over, sessions.

use super::*;

on_both_logs!(
    an_earlier_session_claims_nothing,
    attempts_and_errors_outlive_the_consumer,
);

// The embedded log has one consumer a group.
on_redis!(
    consumers_share_the_entries_but_never_a_lane,
    a_new_entry_of_a_lane_goes_to_its_owner,
    the_entries_of_a_silent_consumer_are_taken_over_in_order,
    a_consumer_with_heartbeats_keeps_its_entries,
    the_entries_of_a_consumer_that_left_are_taken_over_at_once,
    an_evicted_consumer_gets_an_error,
    nothing_is_lost_or_doubled_among_busy_consumers,
);

#[tokio::test]
async fn on_the_embedded_log_a_subscription_evicts_the_earlier_consumer() {
    let fixture = crate::test_support::embedded();
    let earlier = fixture.subscribed("message", "earlier").await;
    fixture.publish(&["a", "b"]).await;
    let claimed = fixture.claim(&earlier).await;
    fixture.acknowledge(&earlier, &claimed[..1]).await;
    let consumer = fixture.subscribed("message", "later").await;
    fixture.log.append(STREAM, &event("b", 3)).await.unwrap();
    assert_eq!(numbers(&fixture.claim(&consumer).await), [2, 3]);
    for evicted in [
        fixture.log.claim(&earlier, 10, AT_ONCE).await.err(),
        fixture.log.heartbeat(&earlier, LONG_TIMEOUT).await.err(),
    ] {
        assert!(
            matches!(evicted, Some(LogError::Evicted { .. })),
            "{evicted:?}"
        );
    }
}

async fn consumers_share_the_entries_but_never_a_lane(fixture: Fixture) {
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture
        .publish(&["a", "b", "c", "d", "a", "c", "b", "d"])
        .await;
    let first = fixture.log.claim(&one, 2, AT_ONCE).await.unwrap();
    assert_eq!(numbers(&first), [1, 2]);
    // Numbers 5 and 7 belong to lanes of the first consumer.
    assert_eq!(numbers(&fixture.claim(&two).await), [3, 4, 6, 8]);
    assert_eq!(numbers(&fixture.claim(&one).await), [5, 7]);
    assert_eq!(fixture.claim(&two).await, []);
}

async fn a_new_entry_of_a_lane_goes_to_its_owner(fixture: Fixture) {
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture.publish(&["a"]).await;
    let first = fixture.claim(&one).await;
    let log = fixture.log.clone();
    let waiting = {
        let one = one.clone();
        tokio::spawn(async move { log.claim(&one, 10, LONG_TIMEOUT).await.unwrap() })
    };
    fixture.log.append(STREAM, &event("a", 2)).await.unwrap();
    // The first consumer owns the lane: it gets the entry and is woken for it, although the other claims first.
    assert_eq!(fixture.claim(&two).await, []);
    let second = waiting.await.unwrap();
    assert_eq!(numbers(&second), [2]);
    fixture.acknowledge(&one, &first).await;
    fixture.log.append(STREAM, &event("a", 3)).await.unwrap();
    assert_eq!(fixture.claim(&two).await, []);
    let third = fixture.claim(&one).await;
    assert_eq!(numbers(&third), [3]);
    // A lane without pending entries has no owner.
    fixture.acknowledge(&one, &second).await;
    fixture.acknowledge(&one, &third).await;
    fixture.log.append(STREAM, &event("a", 4)).await.unwrap();
    assert_eq!(numbers(&fixture.claim(&two).await), [4]);
}

async fn the_entries_of_a_silent_consumer_are_taken_over_in_order(fixture: Fixture) {
    let dead = fixture.subscribed("message", "dead").await;
    let successor = fixture.subscribed("message", "successor").await;
    fixture.publish(&["a", "b", "a", "a"]).await;
    let taken = fixture.claim(&dead).await;
    fixture.acknowledge(&dead, &taken[..1]).await;
    assert_eq!(
        fixture
            .log
            .heartbeat(&successor, LONG_TIMEOUT)
            .await
            .unwrap(),
        0
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    fixture.log.append(STREAM, &event("a", 5)).await.unwrap();
    assert_eq!(
        fixture
            .log
            .heartbeat(&successor, Duration::from_millis(10))
            .await
            .unwrap(),
        3
    );
    // New entries come after those that were taken over, also when each claim is small.
    let mut order = Vec::new();
    for _ in 0..4 {
        order.extend(numbers(
            &fixture.log.claim(&successor, 1, AT_ONCE).await.unwrap(),
        ));
    }
    assert_eq!(order, [2, 3, 4, 5]);
    assert_eq!(fixture.state("message").await.pending, 4);
}

async fn a_consumer_with_heartbeats_keeps_its_entries(fixture: Fixture) {
    const LONG_TIMEOUT: Duration = Duration::from_secs(5);
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture.publish(&["a"]).await;
    fixture.claim(&one).await;
    let began = std::time::Instant::now();
    while began.elapsed() < LONG_TIMEOUT * 3 / 2 {
        for consumer in [&one, &two] {
            assert_eq!(
                fixture.log.heartbeat(consumer, LONG_TIMEOUT).await.unwrap(),
                0
            );
        }
        tokio::time::sleep(LONG_TIMEOUT / 20).await;
    }
}

async fn the_entries_of_a_consumer_that_left_are_taken_over_at_once(fixture: Fixture) {
    let one = fixture.subscribed("message", "one").await;
    let two = fixture.subscribed("message", "two").await;
    fixture.publish(&["a"]).await;
    fixture.claim(&one).await;
    fixture.log.leave(&one).await.unwrap();
    assert_eq!(fixture.log.heartbeat(&two, LONG_TIMEOUT).await.unwrap(), 1);
    assert_eq!(numbers(&fixture.claim(&two).await), [1]);
}

async fn an_evicted_consumer_gets_an_error(fixture: Fixture) {
    let paused = fixture.subscribed("message", "paused").await;
    let successor = fixture.subscribed("message", "successor").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.claim(&paused).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    fixture
        .log
        .heartbeat(&successor, Duration::from_millis(10))
        .await
        .unwrap();
    fixture.log.append(STREAM, &event("c", 3)).await.unwrap();
    for evicted in [
        fixture.log.claim(&paused, 10, AT_ONCE).await.err(),
        fixture.log.heartbeat(&paused, LONG_TIMEOUT).await.err(),
    ] {
        assert!(
            matches!(evicted, Some(LogError::Evicted { .. })),
            "{evicted:?}"
        );
    }
    // A late acknowledgement counts nevertheless.
    fixture.acknowledge(&paused, &taken[..1]).await;
    assert_eq!(numbers(&fixture.claim(&successor).await), [2, 3]);
    fixture.log.subscribe(&paused).await.unwrap();
    assert_eq!(fixture.claim(&paused).await, []);
}

/// An abandoned claim may reach a hung server late, after the caller has subscribed again. The entries that it claimed
/// then would stay pending without a handler.
async fn an_earlier_session_claims_nothing(fixture: Fixture) {
    let earlier = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b"]).await;
    fixture.log.claim(&earlier, 1, AT_ONCE).await.unwrap();
    let consumer = earlier.with_new_session();
    fixture.log.subscribe(&consumer).await.unwrap();
    let late = fixture.log.claim(&earlier, 10, AT_ONCE).await;
    assert!(matches!(late, Err(LogError::Evicted { .. })), "{late:?}");
    assert_eq!(numbers(&fixture.claim(&consumer).await), [1, 2]);
}

async fn attempts_and_errors_outlive_the_consumer(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let position = &fixture.claim(&consumer).await[0].position;
    let fail = async |later| {
        fixture
            .log
            .record_failure("message", position, "refused", later)
            .await
            .unwrap()
    };
    assert_eq!(fail(AT_ONCE).await, Some(1));
    assert_eq!(fail(LONG_TIMEOUT).await, Some(2));
    fixture.log.leave(&consumer).await.unwrap();
    let successor = fixture.subscribed("message", "successor").await;
    fixture
        .log
        .heartbeat(&successor, LONG_TIMEOUT)
        .await
        .unwrap();
    let again = &fixture.claim(&successor).await[0];
    assert_eq!(again.attempts, 2);
    assert!(
        again.due_in > LONG_TIMEOUT / 2 && again.due_in <= LONG_TIMEOUT,
        "{:?}",
        again.due_in
    );
}

async fn nothing_is_lost_or_doubled_among_busy_consumers(fixture: Fixture) {
    const EVENTS: usize = 600;
    let subjects = ["a", "b", "c", "d", "e"];
    let (done, mut handled) = tokio::sync::mpsc::unbounded_channel();
    let mut consumers = Vec::new();
    for name in ["one", "two", "three"] {
        let consumer = fixture.subscribed("message", name).await;
        let (log, done) = (fixture.log.clone(), done.clone());
        consumers.push(tokio::spawn(async move {
            loop {
                for delivery in log
                    .claim(&consumer, 7, Duration::from_secs(1))
                    .await
                    .unwrap()
                {
                    if done
                        .send((delivery.lane.clone(), number(&delivery)))
                        .is_err()
                    {
                        return;
                    }
                    // The acknowledgement ends the ownership of the lane.
                    log.acknowledge("message", &[delivery.position])
                        .await
                        .unwrap();
                }
            }
        }));
    }
    drop(done);
    for number in 1..=EVENTS {
        let subject = subjects[number * 7 % subjects.len()];
        fixture
            .log
            .append(STREAM, &event(subject, number))
            .await
            .unwrap();
    }
    let mut lanes = std::collections::BTreeMap::<Arc<str>, Vec<usize>>::new();
    for _ in 0..EVENTS {
        let (lane, number) = tokio::time::timeout(LONG_TIMEOUT, handled.recv())
            .await
            .unwrap()
            .unwrap();
        lanes.entry(lane).or_default().push(number);
    }
    assert!(handled.try_recv().is_err(), "an event came twice");
    assert_eq!(lanes.len(), subjects.len());
    for (lane, numbers) in lanes {
        assert_eq!(numbers.len(), EVENTS / subjects.len());
        assert!(numbers.is_sorted(), "{lane:?}: {numbers:?}");
    }
    for consumer in consumers {
        consumer.abort();
    }
}
