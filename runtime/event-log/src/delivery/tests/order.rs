//! Which events a component gets, and in which order.

use super::*;

on_both_logs!(
    every_event_is_handled_once_and_in_order,
    subjects_are_handled_at_the_same_time_up_to_the_limit,
    a_long_failing_subject_does_not_starve_the_others,
    many_failing_subjects_do_not_starve_the_others,
    an_acknowledgement_is_told_to_readers_of_the_group,
);

async fn every_event_is_handled_once_and_in_order(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    publish(&fixture.log, "a", 1..=50).await;
    let deliveries = start(&fixture.log, &handler, "host");
    for number in 1..=150 {
        publish(&fixture.log, "b", [number]).await;
        publish(&fixture.log, "a", [number + 50]).await;
    }
    eventually(async || handler.count(), 350).await;
    quiet(&fixture.log, "message").await;
    assert_eq!(handler.of("a"), (1..=200).collect::<Vec<_>>());
    assert_eq!(handler.of("b"), (1..=150).collect::<Vec<_>>());
    deliveries.stop().await;
}

async fn subjects_are_handled_at_the_same_time_up_to_the_limit(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    *handler.held_up.lock() = true;
    for subject in ["a", "b", "c", "d", "e", "f"] {
        publish(&fixture.log, subject, 1..=2).await;
    }
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.running.load(Ordering::SeqCst), 4).await;
    *handler.held_up.lock() = false;
    eventually(async || handler.count(), 12).await;
    assert_eq!(handler.most_at_once.load(Ordering::SeqCst), 4);
    deliveries.stop().await;
}

async fn a_long_failing_subject_does_not_starve_the_others(fixture: Fixture) {
    let handler = Recorder::reacting(|subject, _, _| match subject {
        "stuck" => Recorder::failing(),
        _ => Ok(()),
    });
    publish(&fixture.log, "stuck", 1..=1000).await;
    publish(&fixture.log, "fine", 1..=100).await;
    let slow = Subscription {
        attempts: 1000,
        backoff: Backoff::new(Duration::from_secs(60), Duration::from_secs(60)),
        ..subscription("message")
    };
    let deliveries = start_with(&fixture.log, &handler, "host", slow);
    eventually(async || handler.of("fine").len(), 100).await;
    publish(&fixture.log, "fine", 101..=200).await;
    eventually(async || handler.of("fine"), (1..=200).collect()).await;
    deliveries.stop().await;
}

async fn many_failing_subjects_do_not_starve_the_others(fixture: Fixture) {
    let handler = Recorder::reacting(|subject, _, _| match subject {
        "fine" => Ok(()),
        _ => Recorder::failing(),
    });
    for stuck in 0..50 {
        publish(&fixture.log, &format!("stuck/{stuck}"), 1..=20).await;
    }
    publish(&fixture.log, "fine", 1..=100).await;
    let slow = Subscription {
        attempts: 1000,
        backoff: Backoff::new(Duration::from_secs(60), Duration::from_secs(60)),
        ..subscription("message")
    };
    let deliveries = start_with(&fixture.log, &handler, "host", slow);
    eventually(async || handler.of("fine"), (1..=100).collect()).await;
    deliveries.stop().await;
}

async fn an_acknowledgement_is_told_to_readers_of_the_group(fixture: Fixture) {
    let acknowledgements = Acknowledgements::default();
    let mut told = acknowledgements.of_group("message");
    let other = acknowledgements.of_group("viewpage");
    let settings = DeliverySettings {
        acknowledgements: Some(acknowledgements),
        ..TEST_SETTINGS
    };
    let _deliveries = DeliveryEngine::start(
        fixture.log.clone(),
        Arc::new(Recorder::default()),
        "host",
        vec![subscription("message")],
        settings,
    );
    let id = fixture.log.append(STREAM, &event("a", 1)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), told.changed())
        .await
        .unwrap()
        .unwrap();
    let up_to = fixture.log.acknowledged_up_to(STREAM, "message").await;
    assert_eq!(up_to.unwrap(), Some(id));
    assert!(!other.has_changed().unwrap());
}
