//! Dead letters: parked, shown, redriven, discarded.

use super::*;

on_both_logs!(
    a_parked_entry_is_a_dead_letter_and_done_with,
    a_redriven_letter_reaches_its_group_only_and_only_once,
    a_redriven_letter_can_be_parked_again,
    a_discarded_letter_is_gone,
    two_redrives_at_once_are_one,
    a_letter_waits_for_a_group_that_is_gone,
    old_letters_are_redriven_and_newer_ones_are_not,
);

async fn a_parked_entry_is_a_dead_letter_and_done_with(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.claim(&consumer).await;
    let id = fixture
        .parked(&consumer, &taken[0], "no: \"such\" car")
        .await;
    let letters = fixture.letters().await;
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.id, id.to_string());
    assert_eq!(letter.parked_at, id.milliseconds);
    assert_eq!((&*letter.group, &*letter.stream), ("message", STREAM));
    assert_eq!(letter.entry, taken[0].position.id.to_string());
    assert_eq!((letter.attempts, &*letter.error), (3, "no: \"such\" car"));
    assert_eq!(letter.event.as_bytes(), taken[0].event.as_ref().unwrap());
    assert_eq!(
        dead_letters::show(&*fixture.log, id)
            .await
            .unwrap()
            .as_ref(),
        Some(letter)
    );
    fixture.log.subscribe(&consumer).await.unwrap();
    assert_eq!(numbers(&fixture.claim(&consumer).await), [2]);
}

async fn a_redriven_letter_reaches_its_group_only_and_only_once(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let other = fixture.subscribed("viewpage", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.claim(&consumer).await;
    fixture.claim(&other).await;
    let id = fixture.parked(&consumer, &taken[0], "x").await;
    assert!(dead_letters::redrive(&*fixture.log, id).await.unwrap());
    assert!(!dead_letters::redrive(&*fixture.log, id).await.unwrap());
    assert_eq!(fixture.letters().await, []);
    assert_eq!(fixture.claim(&other).await, []);
    let again = fixture.claim(&consumer).await;
    assert_eq!(again.len(), 1);
    assert_eq!(
        (&again[0].lane, &again[0].event),
        (&taken[0].lane, &taken[0].event)
    );
    assert_eq!(again[0].attempts, 0);
    fixture.acknowledge(&consumer, &again).await;
    // No other group reads the entry, so that it is removed.
    let left = fixture.log.length(&again[0].position.stream).await.unwrap();
    assert_eq!(left, 0);
}

async fn a_redriven_letter_can_be_parked_again(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.claim(&consumer).await;
    let mut delivery = taken[0].clone();
    for round in 0..3 {
        let id = fixture
            .parked(&consumer, &delivery, &format!("round {round}"))
            .await;
        assert_eq!(fixture.letters().await.len(), 1);
        assert!(fixture.log.redrive(id).await.unwrap());
        delivery = fixture.claim(&consumer).await.remove(0);
        assert_eq!(
            (&delivery.lane, &delivery.event),
            (&taken[0].lane, &taken[0].event)
        );
    }
}

async fn a_discarded_letter_is_gone(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.claim(&consumer).await;
    let id = fixture.parked(&consumer, &taken[0], "x").await;
    assert!(dead_letters::discard(&*fixture.log, id).await.unwrap());
    assert!(!dead_letters::discard(&*fixture.log, id).await.unwrap());
    assert!(!dead_letters::redrive(&*fixture.log, id).await.unwrap());
    assert_eq!(dead_letters::show(&*fixture.log, id).await.unwrap(), None);
}

async fn a_letter_waits_for_a_group_that_is_gone(fixture: Fixture) {
    let consumer = fixture.subscribed("message@gone", "gone").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.claim(&consumer).await;
    let id = fixture.parked(&consumer, &taken[0], "x").await;
    let log = &fixture.log;
    log.delete_group("message@gone", consumer.streams())
        .await
        .unwrap();
    let refused = dead_letters::redrive(&**log, id).await.unwrap_err();
    assert!(refused.to_string().contains("`message@gone`"), "{refused}");
    let passed = crate::redelivery::redrive_older(&**log, Duration::ZERO).await;
    assert_eq!(passed.unwrap(), 0);
    assert_eq!(fixture.letters().await.len(), 1);
    let again = fixture.subscribed("message@gone", "gone").await;
    assert!(log.redrive(id).await.unwrap());
    let events = fixture.claim(&again).await;
    let is_redriven = |it: &&Delivery| &*it.position.stream != STREAM;
    assert_eq!(events.iter().filter(is_redriven).count(), 1);
}

async fn two_redrives_at_once_are_one(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.claim(&consumer).await;
    let id = fixture.parked(&consumer, &taken[0], "x").await;
    let redrives: Vec<_> = (0..8)
        .map(|_| {
            let log = fixture.log.clone();
            tokio::spawn(async move { log.redrive(id).await.unwrap() })
        })
        .collect();
    let mut happened = 0;
    for redrive in redrives {
        happened += usize::from(redrive.await.unwrap());
    }
    assert_eq!(happened, 1);
    assert_eq!(fixture.claim(&consumer).await.len(), 1);
}

async fn old_letters_are_redriven_and_newer_ones_are_not(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b"]).await;
    let claimed = fixture.claim(&consumer).await;
    fixture.parked(&consumer, &claimed[0], "x").await;
    // The margins on both sides are for a busy machine.
    const AGE: Duration = Duration::from_secs(1);
    tokio::time::sleep(2 * AGE).await;
    fixture.parked(&consumer, &claimed[1], "x").await;
    let redrive = async |age| {
        crate::redelivery::redrive_older(&*fixture.log, age)
            .await
            .unwrap()
    };
    assert_eq!(redrive(LONG_TIMEOUT).await, 0);
    assert_eq!(redrive(AGE).await, 1);
    assert_eq!(fixture.letters().await.len(), 1);
    assert_eq!(numbers(&fixture.claim(&consumer).await), [1]);
}
