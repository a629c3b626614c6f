//! Handlers that fail, refuse or panic.

use super::*;

on_both_logs!(
    a_clock_that_was_turned_back_delays_no_event,
    a_failing_event_is_tried_again_and_holds_back_only_its_subject,
    an_event_that_keeps_failing_is_parked_and_the_next_one_goes_on,
    a_refused_event_is_never_parked,
    an_outage_that_asks_for_time_gets_it_and_delays_no_event_afterwards,
    an_invalid_event_is_parked_at_once,
    a_panic_of_the_handler_is_a_failure,
    a_crash_delays_the_next_attempt,
    an_entry_without_an_event_is_parked_at_once,
    a_redriven_letter_is_handled,
);

async fn a_clock_that_was_turned_back_delays_no_event(fixture: Fixture) {
    publish(&fixture.log, "a", 1..=1).await;
    let consumer = Consumer::new("message", "host", &[STREAM]);
    fixture.log.subscribe(&consumer).await.unwrap();
    let claimed = fixture.log.claim(&consumer, 1, Duration::ZERO).await;
    let position = &claimed.unwrap()[0].position;
    // As if the failure had been recorded two hours ahead of the present time.
    let ahead = Duration::from_secs(7200);
    let recorded = fixture.log.record_failure("message", position, "x", ahead);
    recorded.await.unwrap();
    fixture.log.leave(&consumer).await.unwrap();
    let handler = Arc::new(Recorder::default());
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![1]).await;
    deliveries.stop().await;
}

async fn a_failing_event_is_tried_again_and_holds_back_only_its_subject(fixture: Fixture) {
    let mut failures = 0;
    let handler = Recorder::reacting(move |subject, number, _| {
        if subject == "a" && number == 1 && failures < 2 {
            failures += 1;
            return Recorder::failing();
        }
        Ok(())
    });
    publish(&fixture.log, "a", 1..=3).await;
    publish(&fixture.log, "b", 1..=3).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.count(), 6).await;
    assert_eq!(handler.of("a"), [1, 2, 3]);
    assert_eq!(handler.of("b"), [1, 2, 3]);
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn an_event_that_keeps_failing_is_parked_and_the_next_one_goes_on(fixture: Fixture) {
    let handler = Recorder::reacting(|_, number, _| match number {
        2 => Recorder::failing(),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=3).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![1, 3]).await;
    quiet(&fixture.log, "message").await;
    let letters = letters(&fixture.log).await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].attempts, &*letters[0].error), (3, "on purpose"));
    assert_eq!(handler.calls.load(Ordering::SeqCst), 5);
    deliveries.stop().await;
}

async fn a_refused_event_is_never_parked(fixture: Fixture) {
    let handler = Recorder::reacting(|_, _, call| match call {
        0..20 => Err(HandlerError::unavailable("overloaded")),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=2).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![1, 2]).await;
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn a_panic_of_the_handler_is_a_failure(fixture: Fixture) {
    let handler = Recorder::reacting(|_, number, _| match number {
        1 => panic!("on purpose"),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=2).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![2]).await;
    let letters = letters(&fixture.log).await;
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].error.contains("panicked"),
        "{}",
        letters[0].error
    );
    deliveries.stop().await;
}

async fn a_crash_delays_the_next_attempt(fixture: Fixture) {
    let handler = Recorder::reacting(|_, number, call| match (number, call) {
        (1, 0) => Err(HandlerError::Crashed("on purpose".to_owned())),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=2).await;
    publish(&fixture.log, "b", 1..=2).await;
    let began = std::time::Instant::now();
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.count(), 4).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(handler.of("a"), [1, 2]);
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn an_entry_without_an_event_is_parked_at_once(fixture: Fixture) {
    let handler = Arc::new(Recorder::default());
    let odd = vec![("something".to_owned(), Bytes::from_static(b"else"))];
    fixture.log.append(STREAM, &odd).await.unwrap();
    publish(&fixture.log, "", 1..=1).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of(""), vec![1]).await;
    assert_eq!(letters(&fixture.log).await.len(), 1);
    deliveries.stop().await;
}

async fn a_redriven_letter_is_handled(fixture: Fixture) {
    let handler = Recorder::reacting(|_, _, call| match call {
        0..3 => Recorder::failing(),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=1).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || letters(&fixture.log).await.len(), 1).await;
    let id = letters(&fixture.log).await[0].id.parse().unwrap();
    assert!(dead_letters::redrive(&*fixture.log, id).await.unwrap());
    eventually(async || handler.of("a"), vec![1]).await;
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn an_outage_that_asks_for_time_gets_it_and_delays_no_event_afterwards(fixture: Fixture) {
    const RETRY_AFTER: Duration = Duration::from_millis(300);
    let began = std::time::Instant::now();
    let handler = Recorder::reacting(move |_, _, _| match began.elapsed() < RETRY_AFTER {
        true => Err(HandlerError::Unavailable {
            reason: "away".to_owned(),
            retry_after: Some(RETRY_AFTER),
        }),
        false => Ok(()),
    });
    for subject in 0..40 {
        publish(&fixture.log, &format!("car/{subject}"), 1..=2).await;
    }
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.count(), 80).await;
    // Each attempt at an unavailable component waits for the time that it has asked for.
    let calls = handler.calls.load(Ordering::SeqCst);
    assert!(calls <= 80 + 8, "{calls} calls for 80 events");
    assert_eq!(letters(&fixture.log).await, []);
    deliveries.stop().await;
}

async fn an_invalid_event_is_parked_at_once(fixture: Fixture) {
    let handler = Recorder::reacting(|_, number, _| match number {
        1 => Err(HandlerError::Invalid("no CloudEvent".to_owned())),
        _ => Ok(()),
    });
    publish(&fixture.log, "a", 1..=2).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![2]).await;
    let letters = letters(&fixture.log).await;
    assert_eq!((letters.len(), letters[0].attempts), (1, 1));
    assert_eq!(handler.calls.load(Ordering::SeqCst), 2);
    deliveries.stop().await;
}
