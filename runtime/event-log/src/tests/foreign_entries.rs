//! Entries that other programs have written: names and subjects that are no text, more fields than a script can pass.

use super::*;

on_both_logs!(
    a_letter_keeps_the_event_of_an_entry_with_many_fields,
    a_letter_without_a_group_holds_up_no_other,
);

const NOT_UTF8: &[u8] = b"M\xfcnchen";

/// The event comes last.
async fn a_letter_keeps_the_event_of_an_entry_with_many_fields(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let others = (0..5000).map(|number| (format!("field{number}"), "x".into()));
    let fields: Fields = others.chain(event("a", 1)).collect();
    fixture.log.append(STREAM, &fields).await.unwrap();
    let taken = fixture.claim(&consumer).await;
    let id = fixture.parked(&consumer, &taken[0], "x").await;
    let letters = fixture.letters().await;
    assert_eq!(
        letters[0].event.as_bytes(),
        taken[0].event.as_ref().unwrap()
    );
    assert!(dead_letters::redrive(&*fixture.log, id).await.unwrap());
    let again = fixture.claim(&consumer).await;
    assert_eq!(again[0].event, taken[0].event);
}

async fn a_letter_without_a_group_holds_up_no_other(fixture: Fixture) {
    let fields = vec![("foo".to_owned(), "bar".into())];
    let foreign = fixture.log.append(DEAD_LETTERS, &fields).await.unwrap();
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"]).await;
    let taken = fixture.claim(&consumer).await;
    fixture.parked(&consumer, &taken[0], "x").await;
    let redriven = redelivery::redrive_older(&*fixture.log, AT_ONCE).await;
    assert_eq!(redriven.unwrap(), 1);
    assert_eq!(fixture.claim(&consumer).await.len(), 1);
    let refused = dead_letters::redrive(&*fixture.log, foreign).await;
    assert!(matches!(refused, Err(LogError::Damaged(_))), "{refused:?}");
}

/// Each way to read an entry: by a script, alone, as a range, as a letter.
#[tokio::test]
async fn a_redis_with_names_that_are_no_text_is_read() {
    let redis = RedisFixture::start().await;
    let log = &redis.fixture.log;
    let scripted = redis.fixture.subscribed("message", "host").await;
    let alone = redis.fixture.subscribed("car", "host").await;
    log.heartbeat(&alone, LONG_TIMEOUT).await.unwrap();
    let stream = STREAM.as_bytes();
    let subject = [b"{\"subject\":\"", NOT_UTF8, b"\"}"].concat();
    redis
        .query::<::redis::Value>(&[b"XADD", stream, b"*", NOT_UTF8, b"x"])
        .await;
    redis
        .query::<::redis::Value>(&[b"XADD", stream, b"*", b"event", &subject])
        .await;
    redis
        .query::<::redis::Value>(&[b"XGROUP", b"CREATE", stream, NOT_UTF8, b"$"])
        .await;
    for consumer in [&scripted, &alone] {
        let taken = redis.fixture.claim(consumer).await;
        assert_eq!(taken.len(), 2, "{}", consumer.group);
        assert_eq!(taken[1].event.as_deref(), Some(&subject[..]));
        redis.fixture.parked(consumer, &taken[0], "no event").await;
        redis.fixture.acknowledge(consumer, &taken[1..]).await;
    }
    let all = log.range(STREAM, EntryId::MIN, EntryId::MAX, 10).await;
    assert_eq!(all.unwrap().len(), 2);
    let letters = redis.fixture.letters().await;
    assert_eq!(letters.len(), 2);
    assert!(redis.fixture.state("message").await.pending == 0);
    let letter = letters[0].id.parse().unwrap();
    assert!(dead_letters::redrive(&**log, letter).await.unwrap());
}
