//! Hosts that stop, fail and share.

use super::*;

on_both_logs!(
    a_stop_finishes_running_handlers_and_claims_nothing_more,
    a_restarted_host_continues_its_deliveries,
    a_subscription_for_each_host_gets_every_event_on_each,
);

// The embedded log has one consumer a group.
on_redis!(
    another_host_takes_over_from_a_silent_one,
    two_hosts_share_the_events_and_keep_their_order,
);

/// As [`start`], with another time after which a silent consumer is replaced.
fn start_with_consumer_timeout(
    log: &Arc<dyn EventLog>,
    handler: &Arc<Recorder>,
    host: &str,
    consumer_timeout: Duration,
) -> DeliveryEngine {
    let settings = DeliverySettings {
        consumer_timeout,
        ..TEST_SETTINGS
    };
    DeliveryEngine::start(
        log.clone(),
        handler.clone(),
        host,
        vec![subscription("message")],
        settings,
    )
}

async fn a_stop_finishes_running_handlers_and_claims_nothing_more(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    *handler.held_up.lock() = true;
    publish(&fixture.log, "a", 1..=3).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.running.load(Ordering::SeqCst), 1).await;
    let stopping = tokio::spawn(deliveries.stop());
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!stopping.is_finished());
    *handler.held_up.lock() = false;
    stopping.await.unwrap();
    assert_eq!(handler.of("a"), [1]);
    // The finished event is acknowledged; another host can claim the others at once.
    let deliveries = start(&fixture.log, &handler, "other");
    eventually(async || handler.of("a"), vec![1, 2, 3]).await;
    deliveries.stop().await;
}

async fn a_restarted_host_continues_its_deliveries(fixture: Fixture) {
    let dying = Arc::new(Recorder::default());
    *dying.held_up.lock() = true;
    publish(&fixture.log, "a", 1..=20).await;
    let deliveries = start(&fixture.log, &dying, "host");
    eventually(async || dying.running.load(Ordering::SeqCst), 1).await;
    drop(deliveries);
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), (1..=20).collect()).await;
    deliveries.stop().await;
}

async fn another_host_takes_over_from_a_silent_one(fixture: Fixture) {
    const LONG_TIMEOUT: Duration = Duration::from_secs(2);
    let dying = Arc::new(Recorder::default());
    *dying.held_up.lock() = true;
    publish(&fixture.log, "a", 1..=20).await;
    let deliveries = start_with_consumer_timeout(&fixture.log, &dying, "dying", LONG_TIMEOUT);
    eventually(async || dying.running.load(Ordering::SeqCst), 1).await;
    let handler = Arc::new(Recorder::default());
    let successor = start_with_consumer_timeout(&fixture.log, &handler, "successor", LONG_TIMEOUT);
    publish(&fixture.log, "b", 1..=20).await;
    drop(deliveries);
    eventually(async || handler.of("a"), (1..=20).collect()).await;
    eventually(async || handler.of("b"), (1..=20).collect()).await;
    quiet(&fixture.log, "message").await;
    successor.stop().await;
}

async fn two_hosts_share_the_events_and_keep_their_order(fixture: Fixture) {
    let handlers = [Arc::new(Recorder::default()), Arc::new(Recorder::default())];
    // One record for both hosts shows the order across them.
    let both = Arc::new(Mutex::new(BTreeMap::<String, Vec<usize>>::new()));
    let mut hosts = Vec::new();
    for (host, handler) in ["one", "two"].iter().zip(&handlers) {
        let both = both.clone();
        *handler.reaction.lock() = Some(Box::new(move |subject, number, _| {
            both.lock()
                .entry(subject.to_owned())
                .or_default()
                .push(number);
            Ok(())
        }));
        // A slow test run must not look like a silent host.
        let consumer_timeout = Duration::from_secs(60);
        hosts.push(start_with_consumer_timeout(
            &fixture.log,
            handler,
            host,
            consumer_timeout,
        ));
    }
    for number in 1..=100 {
        for subject in ["a", "b", "c", "d", "e"] {
            publish(&fixture.log, subject, [number]).await;
        }
    }
    eventually(async || handlers[0].count() + handlers[1].count(), 500).await;
    for (subject, numbers) in both.lock().iter() {
        assert_eq!(numbers, &(1..=100).collect::<Vec<_>>(), "{subject}");
    }
    for host in hosts {
        host.stop().await;
    }
}

async fn a_subscription_for_each_host_gets_every_event_on_each(fixture: Fixture) {
    let handlers = [Arc::new(Recorder::default()), Arc::new(Recorder::default())];
    publish(&fixture.log, "a", 1..=10).await;
    let mut hosts = Vec::new();
    for (host, handler) in ["one", "two"].iter().zip(&handlers) {
        let subscription = Subscription {
            audience: Audience::EachHost,
            ..subscription("viewpage")
        };
        hosts.push(start_with(&fixture.log, handler, host, subscription));
    }
    for handler in &handlers {
        eventually(async || handler.of("a"), (1..=10).collect()).await;
    }
    quiet(&fixture.log, "viewpage@two").await;
    for host in hosts {
        host.stop().await;
    }
}
